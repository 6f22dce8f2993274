package org.peft4j.hook;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.model.Pretrained;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Site;
import org.peft4j.spi.Tuner;
import org.peft4j.train.CausalLanguageModeling;

/** Solved examples in front of every text. */
@Tag("fast")
class CptTest {
  private static final Path BASE = Path.of("src/test/resources/golden/families/llama");
  private static final List<Integer> IDS = List.of(5, 9, 17, 30, 8, 12, 4, 33);
  private static final List<Integer> TYPES = List.of(1, 2, 3, 4, 5, 6, 7, 8);

  /** Letters are tokens. */
  private static Cpt.Options<String> options() {
    return Cpt.Options.on(
        new Fluent.Target<String>() {
          @Override
          public String apply(Tuner tuner, Placement placement, String name, long seed) {
            return tuner.summary();
          }

          @Override
          public String describe(Tuner tuner, Placement placement) {
            return tuner.summary();
          }

          @Override
          public List<Site> sites(Tuner tuner, Placement placement) {
            return List.of();
          }
        },
        text -> text.chars().map(c -> c - 'a').boxed().toList());
  }

  @Test
  void examples_become_tokens_and_types() {
    Cpt cpt = options().format("i", "o").example("ab", "c").example("d", "ee").tuner();
    assertThat(cpt.ids()).containsExactly(8, 0, 1, 14, 2, 8, 3, 14, 4, 4);
    assertThat(cpt.types()).containsExactly(1, 2, 2, 3, 4, 5, 6, 7, 8, 8);
    assertThat(cpt.summary()).isEqualTo("10 tokens of 2 examples, changed by at most 0.1");
  }

  @Test
  void labels_of_earlier_examples_count_less() {
    Cpt cpt = options().tokens(IDS, TYPES).decay(0.5).tuner();
    assertThat(cpt.ownTokens().weights()).containsExactly(0.0, 0.0, 0.0, 0.25, 0.0, 0.0, 0.0, 0.5);
    assertThat(cpt.ownTokens().learned()).containsExactly(3, 7);
    assertThat(options().tokens(IDS, TYPES).tuner().ownTokens().weights().get(3)).isEqualTo(1);
  }

  @Test
  void training_keeps_changes_in_their_bounds_and_labels_as_they_are() {
    try (Pretrained model = Models.load(BASE);
        Tuned tuned = Peft.cpt(model).tokens(IDS, TYPES).bounds(4, 2).apply()) {
      long[] text = {7, 20, 6, 41};
      tuned
          .fit(CausalLanguageModeling.of(List.of(text), List.of(text), 0))
          .maxSteps(8)
          .learningRate(0.2)
          .warmup(0)
          .quiet()
          .run();
      Parameter delta =
          Objects.requireNonNull(tuned.trainable().get("default:delta_embedding.weight"));
      NDArray changes = delta.getArray().norm(new int[] {1});
      double scale = Math.sqrt(32 / 2048.0);
      List<Double> bounds = List.of(0.0, 2.0, 4.0, 2.0);
      IntStream.range(0, IDS.size())
          .forEach(
              i ->
                  assertThat(changes.getFloat(i))
                      .as("row " + i)
                      .isCloseTo((float) (bounds.get(TYPES.get(i) % 4) * scale), within(1e-5f)));
    }
  }

  @Test
  void what_makes_no_sense_is_refused() {
    assertThatThrownBy(() -> options().tokens(IDS, List.of(1)))
        .hasMessageContaining("each of 8 tokens");
    assertThatThrownBy(() -> options().decay(0)).hasMessageContaining("in (0, 1]");
    assertThatThrownBy(() -> options().bounds(-1, 0)).hasMessageContaining("at least 0");
    try (Pretrained model = Models.load(BASE)) {
      assertThatThrownBy(() -> Peft.cpt(model).tokens(List.of(4096), List.of(1)).apply())
          .hasMessageContaining("tokens of the model")
          .hasMessageContaining("4096");
    }
  }
}
