package org.peft4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.data.Conversations;

/** Language models that know nothing yet. */
@Tag("fast")
class UntrainedTest {
  private static final List<String> TEXTS = List.of("a red  apple", "a green pear");

  @Test
  void its_tokens_are_the_words() {
    Pretrained model = Models.untrained(1, 32, TEXTS);

    assertThat(model.tokenizer().encode("a green apple").ids()).containsExactly(2, 5, 4);
    assertThat(model.tokenizer().encode("a blue pear").ids()).containsExactly(2, 1, 6);
    assertThat(model.tokenizer().decode(new long[] {2, 5, 4}, true)).isEqualTo("a green apple");
    assertThat(model.parameters()).isEqualTo(7 * 32 + 4 * 32 * 32 + 3 * 32 * 96 + 3 * 32);
  }

  @Test
  void it_learns_to_say_what_it_is_taught() {
    Pretrained model = Models.untrained(1, 32, TEXTS);
    try (var tuned = Peft.full(model).apply()) {
      tuned.fit(Conversations.texts(TEXTS)).epochs(60).learningRate(1e-2).quiet().run();

      assertThat(tuned.generator().complete("a green").text().strip()).isEqualTo("pear");
      assertThat(tuned.generator().complete("a red").text().strip()).isEqualTo("apple");
    }
  }

  @Test
  void it_can_be_saved_and_loaded(@TempDir Path dir) {
    Models.untrained(1, 32, TEXTS).save(dir);

    assertThat(Models.load(dir).tokenizer().encode("a pear").ids()).containsExactly(2, 6);
  }

  @Test
  void impossible_sizes_are_refused() {
    assertThatThrownBy(() -> Models.untrained(1, 33, TEXTS))
        .hasMessageContaining("a multiple of 32")
        .hasMessageContaining("found: 1 layers, 33");
  }
}
