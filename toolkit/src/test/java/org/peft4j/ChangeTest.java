package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.adapter.Change;
import org.peft4j.model.Pretrained;

/** What adapters change, looked at. */
@Tag("fast")
class ChangeTest {
  private static final Path BERT = Path.of("src/test/resources/golden/hf/base/bert");

  private static double norm(float[][] m) {
    double sum = 0;
    for (float[] row : m) {
      for (float x : row) {
        sum += (double) x * x;
      }
    }
    return Math.sqrt(sum);
  }

  @Test
  void a_new_lora_changes_nothing() {
    try (Pretrained model = Models.load(BERT);
        Tuned tuned = Peft.lora(model).rank(2).targets("q", "v").apply()) {
      Change change = tuned.changes().get(0);

      assertThat(norm(change.weights())).isZero();
      assertThat(change.relativeNorm()).isZero();
      assertThat(change.magnitude()).isZero();
      assertThat(change.direction()).isZero();
    }
  }

  @Test
  void a_lora_of_rank_2_has_two_singular_values_and_their_squares_are_its_norm() {
    try (Pretrained model = Models.load(BERT);
        Tuned tuned = Peft.lora(model).rank(2).targets("q").apply()) {
      Noise.on(tuned);
      Change change = tuned.changes().get(0);
      double[] s = change.singularValues();

      assertThat(s[1]).isGreaterThan(1e-6);
      assertThat(s[2]).isLessThan(1e-6 * s[0]);
      double sum = Arrays.stream(s).map(x -> x * x).sum();
      assertThat(Math.sqrt(sum)).isCloseTo(norm(change.weights()), within(1e-5 * s[0]));
      assertThat(change.directions(0.9999999)).isEqualTo(2);
      assertThat(change.directions(0.001)).isEqualTo(1);
    }
  }

  @Test
  void ia3_on_a_weight_changes_lengths_and_no_directions() {
    try (Pretrained model = Models.load(BERT);
        Tuned tuned = Peft.ia3(model).targets("k", "v").apply()) {
      Noise.on(tuned);
      for (Change change : tuned.changes()) {
        assertThat(change.direction()).as(change.site()).isLessThan(1e-6);
        assertThat(change.magnitude()).as(change.site()).isGreaterThan(1e-4);
      }
    }
  }

  @Test
  void modules_are_found_by_the_end_of_their_names() {
    try (Pretrained model = Models.load(BERT).classify(List.of("a", "b"));
        Tuned tuned = Peft.lora(model).rank(2).targets("q").apply()) {
      assertThat(tuned.change("layer.1.attention.self.query").layer()).isEqualTo(1);
      assertThat(tuned.changes()).extracting(Change::role).containsOnly("q");
      assertThatThrownBy(() -> tuned.change("layer.9.query"))
          .hasMessageContaining("layer.1.attention.self.query")
          .hasMessageContaining("found: layer.9.query");
    }
  }

  @Test
  void what_changes_no_weights_says_so() {
    try (Pretrained model = Models.load(BERT);
        Tuned tuned = Peft.lnTuning(model).apply()) {
      assertThatThrownBy(tuned::changes).hasMessageContaining("no weights of linear modules");
    }
  }
}
