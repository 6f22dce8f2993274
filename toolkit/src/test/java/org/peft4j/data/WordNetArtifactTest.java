package org.peft4j.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** WordNet 3.1 itself, from Maven Central. */
@Tag("model")
class WordNetArtifactTest {
  private static WordNet wordnet = null;

  @BeforeAll
  static void read() {
    wordnet = Data.wordnet();
  }

  @Test
  void has_the_known_numbers() {
    assertThat(wordnet.toString())
        .contains("82,192 synsets; left out: 1,639 short, 15 ambiguous, 836 repeated");
    assertThat(wordnet.size()).isEqualTo(79_702);
    assertThat(wordnet.labels()).hasSize(26);
    assertThat(wordnet.examples().counts())
        .containsEntry("noun.artifact", 11_549)
        .containsEntry("noun.motive", 40);
  }

  @Test
  void no_text_is_empty_or_there_twice_or_shows_its_word() {
    assertThat(new HashSet<>(wordnet.examples().texts())).hasSize(wordnet.size());
    for (int i = 0; i < wordnet.size(); i++) {
      String text = wordnet.examples().get(i).text();
      assertThat(text.length()).as(text).isGreaterThan(7);
      assertThat(Mask.apply(text, wordnet.synsets().get(i).lemmas())).isEqualTo(text);
    }
  }

  @Test
  void no_word_is_in_two_parts() {
    Map<String, List<String>> words = new HashMap<>();
    for (int i = 0; i < wordnet.size(); i++) {
      words.put(wordnet.examples().get(i).text(), wordnet.synsets().get(i).lemmas());
    }
    Splits splits = wordnet.split(7);
    Map<String, String> partOf = new HashMap<>();
    Map.of("train", splits.train(), "validation", splits.validation(), "test", splits.test())
        .forEach(
            (part, examples) -> {
              for (Example row : examples) {
                for (String word : words.getOrDefault(row.text(), List.of())) {
                  String other = partOf.put(word.toLowerCase(Locale.ROOT), part);
                  assertThat(other).as(word).isIn(null, part);
                }
              }
            });
    assertThat(splits)
        .hasToString("79,702 examples, 26 labels: train 67,747, validation 3,985, test 7,970");
    assertThat(splits.test().counts().values()).allMatch(n -> n >= 4);
  }
}
