package org.peft4j.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.Models;
import org.peft4j.model.Pretrained;
import org.peft4j.text.Message;

/** What users call, on a small random model with its own tokenizer and chat template. */
@Tag("fast")
class GeneratorTest {
  private static final Path GGUF = Path.of("src/test/resources/gguf/llama.gguf");
  private static Pretrained model;

  @BeforeAll
  static void load() {
    model = Models.load(GGUF);
  }

  @AfterAll
  static void close() {
    model.close();
  }

  @Test
  void a_batch_of_prompts_of_any_length_gives_what_each_alone_gives() {
    List<String> prompts = List.of("a cat", "the state of being very cold indeed", "x");
    Generator g = Models.generator(model).maxTokens(10);
    List<Generated> together = g.completeAll(prompts);
    for (int i = 0; i < prompts.size(); i++) {
      Generated alone = g.complete(prompts.get(i));
      assertThat(together.get(i).tokens()).as(prompts.get(i)).isEqualTo(alone.tokens());
      assertThat(together.get(i).text()).isEqualTo(alone.text());
    }
    assertThat(g.completeAll(List.of())).isEmpty();
  }

  @Test
  void pieces_come_as_they_are_written_and_make_the_text() {
    List<String> pieces = new ArrayList<>();
    Generated g = Models.generator(model).maxTokens(12).stream(pieces::add).complete("a cat");
    assertThat(String.join("", pieces)).isEqualTo(g.text()).isEqualTo(g.toString());
    assertThat(g.tokens()).hasSizeBetween(1, 12);
    assertThat(g.summary()).contains("tokens/s");
  }

  @Test
  void a_conversation_is_written_by_the_models_template() {
    Generator g = Models.generator(model).maxTokens(4);
    List<Message> talk = List.of(Message.user("hello"));
    String written = model.tokenizer().chatTemplate().render(talk, true);
    long[] ids = model.tokenizer().encode(talk, true).ids();
    assertThat(model.tokenizer().decode(ids, false)).isEqualTo(written);
    assertThat(g.chat("hello").tokens()).isEqualTo(g.run(new long[][] {ids}).get(0).tokens());
  }

  @Test
  void beams_search_in_batches_and_refuse_to_draw_or_stream() {
    Generator g = Models.generator(model).maxTokens(8).beams(3);
    List<String> prompts = List.of("a cat", "the state of being very cold indeed");
    List<Generated> together = g.completeAll(prompts);
    for (int i = 0; i < prompts.size(); i++) {
      assertThat(together.get(i).tokens()).isEqualTo(g.complete(prompts.get(i)).tokens());
      assertThat(together.get(i).tokens()).hasSizeBetween(1, 8);
    }
    assertThat(g.beams(1).complete("a cat").tokens())
        .isEqualTo(Models.generator(model).maxTokens(8).complete("a cat").tokens());
    assertThatThrownBy(() -> g.temperature(1).complete("a")).hasMessageContaining("no temperature");
    assertThatThrownBy(() -> g.stream(s -> {}).complete("a")).hasMessageContaining("a stream");
    assertThatThrownBy(() -> g.beams(0)).hasMessageContaining("beams");
  }

  @Test
  void settings_make_new_generators_and_wrong_ones_are_refused() {
    Generator g = Models.generator(model).maxTokens(6);
    String greedy = g.complete("a cat").text();
    g.temperature(2).seed(8);
    assertThat(g.complete("a cat").text()).as("g itself stays greedy").isEqualTo(greedy);
    assertThatThrownBy(() -> g.maxTokens(0)).hasMessageContaining("maxTokens");
    assertThatThrownBy(() -> g.topP(1.5)).hasMessageContaining("topP");
    assertThatThrownBy(() -> g.run(new long[][] {{}})).hasMessageContaining("at least one token");
    assertThatThrownBy(() -> g.stream(s -> {}).completeAll(List.of("a", "b")))
        .hasMessageContaining("one prompt");
    try (Pretrained bert = Models.load(Path.of("src/test/resources/golden/hf/base/bert"))) {
      assertThatThrownBy(() -> Models.generator(bert))
          .hasMessageContaining("causal language model");
    }
  }
}
