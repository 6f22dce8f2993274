package org.peft4j.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.Models;
import org.peft4j.model.Dtype;
import org.peft4j.model.Pretrained;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Paths;
import org.peft4j.spi.Slotted;
import org.peft4j.tensor.HalfProduct;

/** One text's next token takes a short way through a decoder; two texts' take the long one. */
@Tag("fast")
class StackStepTest {
  private static final long[] TEXT = {5, 17, 33, 8, 41, 60, 12, 77, 23};
  private static final int PROMPT = 4;

  private static Pretrained model(String family) {
    return model(family, Dtype.F32);
  }

  private static Pretrained model(String family, Dtype keepAs) {
    return Models.load(Path.of("src/test/resources/golden/families", family), keepAs);
  }

  /** Scores behind every token from the prompt on, of the first of so many texts alike. */
  private static float[][] scores(Pretrained model, int texts) {
    long[][] prompts = new long[texts][];
    Arrays.fill(prompts, Arrays.copyOf(TEXT, PROMPT));
    float[][] scores = new float[TEXT.length - PROMPT + 1][];
    try (Decoder decoder = Decoder.of(model, prompts, 0)) {
      scores[0] = decoder.begin()[0];
      for (int n = PROMPT; n < TEXT.length; n++) {
        long[][] next = new long[texts][];
        Arrays.fill(next, new long[] {TEXT[n]});
        scores[n - PROMPT + 1] = decoder.read(next)[0];
      }
    }
    return scores;
  }

  private static void agree(Pretrained model) {
    float[][] one = scores(model, 1);
    float[][] two = scores(model, 2);
    for (int n = 0; n < one.length; n++) {
      for (int i = 0; i < one[n].length; i++) {
        assertThat(one[n][i]).as("token %d, score %d", n, i).isCloseTo(two[n][i], within(2e-5f));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "mistral", "qwen2", "qwen3"})
  void both_ways_give_the_same(String family) {
    try (Pretrained model = model(family)) {
      agree(model);
    }
  }

  @Test
  void weights_are_read_anew_for_every_token() {
    try (Pretrained model = model("llama")) {
      float[] before = scores(model, 1)[1];
      NDArray weight =
          Paths.parameters(model).entrySet().stream()
              .filter(e -> e.getKey().endsWith("layers.1.mlp.down_proj.weight"))
              .findFirst()
              .orElseThrow()
              .getValue()
              .getArray();
      weight.muli(2);
      assertThat(scores(model, 1)[1]).isNotEqualTo(before);
      agree(model);
    }
  }

  @Test
  void weights_of_16_bits_give_the_same() {
    try (Pretrained model = model("llama", Dtype.BF16)) {
      agree(model);
    }
  }

  @Test
  void prepacked_weights_give_what_the_weights_themselves_give() {
    try (Pretrained model = model("llama", Dtype.BF16)) {
      float[][] plain = scores(model, 1);
      model.prepack();
      agree(model);
      float[][] packed = scores(model, 1);
      float largest = 0;
      float difference = 0;
      for (int n = 0; n < plain.length; n++) {
        for (int i = 0; i < plain[n].length; i++) {
          largest = Math.max(largest, Math.abs(plain[n][i]));
          difference = Math.max(difference, Math.abs(plain[n][i] - packed[n][i]));
        }
      }
      assertThat(difference / largest).isBetween(Float.MIN_VALUE, 1e-5f);
    }
  }

  @Test
  void prepacked_twice_a_model_keeps_the_copies_it_has() {
    try (Pretrained model = model("llama", Dtype.BF16)) {
      List<HalfProduct> first = copies(model.prepack());
      assertThat(first).isNotEmpty();
      assertThat(copies(model.prepack())).isEqualTo(first);
      assertThat(model.describe().toString()).contains("bf16 + f16");
    }
  }

  private static List<HalfProduct> copies(Pretrained model) {
    return Paths.blocks(model).keySet().stream()
        .filter(b -> b instanceof Slotted slot && slot.frozen() instanceof Dense)
        .map(b -> ((Dense) ((Slotted) b).frozen()).prepacked())
        .filter(Objects::nonNull)
        .toList();
  }

  @Test
  void a_model_in_float32_has_nothing_to_prepack() {
    try (Pretrained model = model("llama")) {
      assertThatThrownBy(model::prepack)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("kept as bfloat16")
          .hasMessageContaining("Dtype.BF16");
    }
  }
}
