package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.TrainableTokens;

/** Which rows of which tables are trained. What they compute is in the golden cases. */
@Tag("fast")
class TrainableTokensTest {
  private static final Path BASES = Path.of("src/test/resources/golden/hf/base");

  @Test
  void only_the_rows_of_the_tokens_change_in_the_table_and_in_a_head_that_is_tied_to_it() {
    try (Pretrained model = Models.load(BASES.resolve("llama_tied"));
        Tuned tuned = Peft.trainableTokens(model).tokens(12, 5).apply()) {
      assertThat(tuned.trainableParameters()).isEqualTo(2 * 32);
      assertThat(tuned.trainable().keySet())
          .containsExactly("default:model.embed_tokens.trainable_tokens_delta");
      NDArray rows = tuned.trainable().values().iterator().next().getArray();
      rows.addi(1);
      try (Pretrained merged = tuned.merge()) {
        float[] before = weight(model);
        float[] after = weight(merged);
        for (int i = 0; i < before.length; i++) {
          boolean ours = i / 32 == 12 || i / 32 == 5;
          assertThat(after[i]).isEqualTo(ours ? before[i] + 1 : before[i]);
        }
      }
    }
  }

  @Test
  void tokens_are_trained_beside_a_lora() {
    try (Pretrained model = Models.load(BASES.resolve("llama_tied"));
        Tuned tuned = Peft.lora(model).targets("q", "v").apply()) {
      long lora = tuned.trainableParameters();
      Peft.trainableTokens(tuned).named("tokens").tokens(12, 5).apply();
      tuned.use("default", "tokens");
      assertThat(tuned.trainableParameters()).isEqualTo(lora + 64);
      assertThat(tuned.isMergeable()).isTrue();
    }
  }

  @Test
  void tokens_of_a_table_that_is_adapted_anyway_are_refused() {
    try (Pretrained model = Models.load(BASES.resolve("llama"))) {
      assertThatThrownBy(() -> Peft.lora(model).targets("embed", "q").trainableTokens(3).apply())
          .hasMessageContaining("trainable_token_indices")
          .hasMessageContaining("embed_tokens");
      assertThat(Peft.lora(model).targets("q").trainableTokens(3, 9).toString())
          .contains("+ 2 tokens 64");
    }
  }

  private static float[] weight(Pretrained model) {
    return model.getParameters().values().get(0).getArray().toFloatArray();
  }

  @Test
  void tokens_that_cannot_be_are_refused_in_words() {
    assertThatThrownBy(() -> new TrainableTokens(List.of(1, 2, 1), true))
        .hasMessageContaining("distinct")
        .hasMessageContaining("[1, 2, 1]");
    assertThatThrownBy(() -> new TrainableTokens(List.of(-1), true)).hasMessageContaining("-1");
    try (Pretrained model = Models.load(BASES.resolve("llama"))) {
      assertThatThrownBy(() -> Peft.trainableTokens(model).apply())
          .hasMessageContaining("at least one token");
      assertThatThrownBy(() -> Peft.trainableTokens(model).tokens(64).apply())
          .hasMessageContaining("below 64")
          .hasMessageContaining("resizeEmbeddings");
      assertThat(Peft.trainableTokens(model).tokens(3, 9).toString())
          .contains("embeddings of 2 tokens")
          .contains("1 sites, 64 parameters");
    }
  }
}
