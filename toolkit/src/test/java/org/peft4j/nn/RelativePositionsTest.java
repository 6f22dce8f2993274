package org.peft4j.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.tensor.Torch;

/** Distances fall into the buckets that transformers gives them. */
@Tag("fast")
class RelativePositionsTest {
  private static final Path FILE = Path.of("src/test/resources/golden/seq2seq/buckets.safetensors");

  @Test
  void every_distance_has_the_bucket_of_transformers() throws Exception {
    try (TensorSource tables = Safetensors.open(FILE);
        NDManager manager = Torch.newManager()) {
      assertThat(tables.names()).hasSize(12);
      for (String name : tables.names()) {
        String[] parts = name.split("\\.");
        int n = Integer.parseInt(parts[0]);
        int farthest = Integer.parseInt(parts[1]);
        boolean both = parts[2].equals("both");
        assertThat(RelativePositions.buckets(n, farthest, both))
            .as(name)
            .isEqualTo(tables.load(name, manager).toLongArray());
      }
    }
  }

  @Test
  void tables_that_cannot_be_are_refused() {
    assertThatThrownBy(() -> RelativePositions.buckets(2, 128, true))
        .hasMessageContaining("at least 4 buckets");
    assertThatThrownBy(() -> RelativePositions.buckets(32, 16, false))
        .hasMessageContaining("above 16");
  }
}
