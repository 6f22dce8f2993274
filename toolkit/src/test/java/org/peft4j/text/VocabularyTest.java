package org.peft4j.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("fast")
class VocabularyTest {
  private static final String MODEL =
      "\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a\": 3, \"[PAD]\": 5, \"b\": 1}}";

  @Test
  void pads_as_the_file_does_else_with_the_token_named_so() throws IOException {
    Vocabulary stored = Vocabulary.parse("{\"padding\": {\"pad_id\": 4}, " + MODEL + "}");
    assertThat(stored.padId()).hasValue(4);
    Vocabulary named = Vocabulary.parse("{\"padding\": null, " + MODEL + "}");
    assertThat(named.padId()).hasValue(5);
    assertThat(Vocabulary.parse("{\"model\": {\"vocab\": {\"a\": 3}}}").padId()).isEmpty();
  }

  @Test
  void added_tokens_win_over_the_model_wherever_they_stand() throws IOException {
    String added = "\"added_tokens\": [{\"special\": true, \"content\": \"a\", \"id\": 9}]";
    for (String json : new String[] {MODEL + ", " + added, added + ", " + MODEL}) {
      Vocabulary vocabulary = Vocabulary.parse("{" + json + "}");
      assertThat(vocabulary.id("a")).isEqualTo(9);
      assertThat(vocabulary.token(9)).isEqualTo("a");
      assertThat(vocabulary.token(2)).isNull();
      assertThat(vocabulary.token((1L << 32) + 9)).isNull();
      assertThat(vocabulary.size()).isEqualTo(10);
      assertThat(vocabulary.added()).containsExactly("a");
    }
  }
}
