package org.peft4j.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.RealModels;
import org.peft4j.format.Json;

/**
 * SmolLM2-135M-Instruct as a Q4_1 file: token ids of llama.cpp, logits of transformers. Skipped
 * without the environment variable {@code PEFT4J_MODELS}, the folder that holds {@code
 * smollm2-135m-instruct}.
 */
@Tag("model")
class SmolLm2GgufTest {
  private static Path folder = Path.of("");
  private static Pretrained model;

  @BeforeAll
  static void load() {
    folder = RealModels.smolLm2();
    model = Loader.path(RealModels.smolLm2Weights());
  }

  @AfterAll
  static void close() {
    if (model != null) {
      model.close();
    }
  }

  @Test
  void texts_and_ids_are_those_of_llama_cpp() throws Exception {
    List<?> cases = (List<?>) Json.read(folder.resolve("reference.json")).get("tokens");
    assertThat(cases).hasSize(14);
    for (Object o : Objects.requireNonNull(cases)) {
      Map<?, ?> c = (Map<?, ?>) o;
      String text = String.valueOf(c.get("text"));
      long[] ids =
          ((List<?>) Objects.requireNonNull(c.get("ids")))
              .stream().mapToLong(n -> (Long) n).toArray();
      assertThat(model.tokenizer().encode(text).ids()).as(text).isEqualTo(ids);
      assertThat(model.tokenizer().decode(ids, false)).as(text).isEqualTo(c.get("decoded"));
    }
  }

  @Test
  void logits_are_those_of_transformers() throws Exception {
    assertThat(model.parameters()).isEqualTo(134_515_008);
    assertThat(GgufModelsTest.difference(model, folder.resolve("logits16.safetensors")))
        .isLessThan(2e-3f);
  }
}
