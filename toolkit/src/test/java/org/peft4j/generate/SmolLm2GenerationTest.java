package org.peft4j.generate;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.Models;
import org.peft4j.RealModels;
import org.peft4j.format.Json;
import org.peft4j.model.Pretrained;
import org.peft4j.text.Message;

/**
 * SmolLM2-135M-Instruct answers as transformers lets it. Skipped without the environment variable
 * {@code PEFT4J_MODELS}, the folder that holds {@code smollm2-135m-instruct}; the same paths are
 * tested on small models in {@link FamiliesTest} and {@link GeneratorTest}.
 */
@Tag("model")
class SmolLm2GenerationTest {
  private static Path folder = Path.of("");
  private static Pretrained model;

  @BeforeAll
  static void load() {
    folder = RealModels.smolLm2();
    model = Models.load(RealModels.smolLm2Weights());
  }

  @AfterAll
  static void close() {
    if (model != null) {
      model.close();
    }
  }

  @Test
  void greedy_answers_are_those_of_transformers() throws Exception {
    List<?> cases = (List<?>) Json.read(folder.resolve("reference.json")).get("greedy");
    assertThat(cases).isNotEmpty();
    Generator generator = Models.generator(model).maxTokens(48);
    for (Object o : Objects.requireNonNull(cases)) {
      Map<?, ?> c = (Map<?, ?>) o;
      String prompt = String.valueOf(c.get("prompt"));
      StringBuilder streamed = new StringBuilder();
      Generated answer = generator.stream(streamed::append).chat(prompt);
      assertThat(answer.tokens()).as(prompt).isEqualTo(c.get("new_ids"));
      assertThat(answer.text()).as(prompt).isEqualTo(c.get("text"));
      assertThat(streamed.toString()).isEqualTo(answer.text());
      boolean ended = answer.tokens().get(answer.tokens().size() - 1) == 2;
      assertThat(answer.ending())
          .isEqualTo(ended ? Generated.Ending.END_TOKEN : Generated.Ending.LENGTH);
    }
  }

  @Test
  void a_stop_string_ends_a_text_before_it() {
    Generated whole = Models.generator(model).maxTokens(24).chat("What is 17 plus 25?");
    Generated cut =
        Models.generator(model)
            .maxTokens(24)
            .stop("25")
            .chat(List.of(Message.user("What is 17 plus 25?")));
    assertThat(whole.text()).contains("25");
    assertThat(cut.text()).isEqualTo(whole.text().substring(0, whole.text().indexOf("25")));
    assertThat(cut.ending()).isEqualTo(Generated.Ending.STOP_STRING);
  }

  @Test
  void drawn_texts_depend_on_the_seed_alone() {
    Generator g = Models.generator(model).maxTokens(12).temperature(0.9).topP(0.95);
    String one = g.seed(1).complete("Once upon a time").text();
    assertThat(g.seed(1).complete("Once upon a time").text()).isEqualTo(one);
    assertThat(g.seed(2).complete("Once upon a time").text()).isNotEqualTo(one);
  }
}
