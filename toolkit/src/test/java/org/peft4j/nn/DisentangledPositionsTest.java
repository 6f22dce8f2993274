package org.peft4j.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.tensor.Torch;

/** Distances have the rows that transformers gives them. */
@Tag("fast")
class DisentangledPositionsTest {
  private static final Path FILE =
      Path.of("src/test/resources/golden/encoders/distances.safetensors");

  @Test
  void every_distance_has_the_row_of_transformers() throws Exception {
    try (TensorSource tables = Safetensors.open(FILE);
        NDManager manager = Torch.newManager()) {
      assertThat(tables.names()).hasSize(4);
      for (String name : tables.names()) {
        String[] parts = name.split("\\.");
        DisentangledPositions positions =
            new DisentangledPositions(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]));
        long[] expected = tables.load(name, manager).toLongArray();
        int reach = expected.length / 2;
        assertThat(IntStream.rangeClosed(-reach, reach).mapToLong(positions::row).toArray())
            .as(name)
            .isEqualTo(expected);
      }
    }
  }

  @Test
  void tables_that_cannot_be_are_refused() {
    assertThatThrownBy(() -> new DisentangledPositions(1, 128)).hasMessageContaining("at least 2");
    assertThatThrownBy(() -> new DisentangledPositions(32, 17)).hasMessageContaining("above 17");
  }
}
