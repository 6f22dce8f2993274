package org.peft4j.export;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("fast")
class TensorsTest {
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 15, 16, 17, 1945, 1_000_003})
  void there_is_room_for_every_number(int n) {
    for (int i = 0; i < 20; i++) { // memory begins at another place each time
      assertThat(Tensors.floats(n).remaining()).isEqualTo(n);
    }
  }
}
