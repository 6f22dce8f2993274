package org.peft4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Figures against values worked out by hand. */
@Tag("fast")
class ScoresTest {
  private static final Offset<Double> EXACT = within(1e-12);

  private static List<String> words(String text) {
    return Arrays.asList(text.split(" "));
  }

  @Test
  void accuracy_and_macro_f1() {
    Metrics m = Scores.classification(new int[] {0, 0, 1, 1, 3, 0}, new int[] {0, 0, 0, 1, 2, 2});
    assertThat(m.get("accuracy")).isEqualTo(3.0 / 6);
    // 0: 2 * 2 / (3 + 3), 1: 2 * 1 / (2 + 1), 2: never said, 3: never there
    assertThat(m.get("f1")).isCloseTo((2.0 / 3 + 2.0 / 3 + 0 + 0) / 4, EXACT);
    assertThat(m.mainName()).isEqualTo("accuracy");
    assertThat(m.rows()).isEqualTo(6);
    assertThatThrownBy(() -> Scores.classification(new int[1], new int[2]))
        .hasMessageContaining("expected: 2")
        .hasMessageContaining("found: 1");
    assertThatThrownBy(() -> Scores.classification(new int[0], new int[0]))
        .hasMessageContaining("at least one");
  }

  @Test
  void exact_match_is_letter_by_letter_but_for_space_around() {
    assertThat(
            Scores.exactMatch(List.of("a b ", "a  b", "A b", ""), List.of("a b", "a b", "a b", ""))
                .main())
        .isEqualTo(0.5);
  }

  @Test
  void rouge_by_hand() {
    // police kill the gunman: 4 words; shared 1-grams 3, 2-grams the gunman 1, subsequence 3
    Metrics one =
        Scores.rouge(List.of("police kill the gunman"), List.of("Police killed: the gunman!"));
    assertThat(one.get("rouge1")).isCloseTo(0.75, EXACT);
    assertThat(one.get("rouge2")).isCloseTo(1.0 / 3, EXACT);
    assertThat(one.get("rougeL")).isCloseTo(0.75, EXACT);
    // the same words in another order: subsequence "the gunman" or "police kill"
    Metrics turned =
        Scores.rouge(List.of("the gunman kill police"), List.of("police kill the gunman"));
    assertThat(turned.get("rouge1")).isCloseTo(1, EXACT);
    assertThat(turned.get("rouge2")).isCloseTo(1.0 / 3, EXACT);
    assertThat(turned.get("rougeL")).isCloseTo(0.5, EXACT);
    // repeated words count as often as in both: 2 of 4 said, 2 of 3 there
    Metrics repeated = Scores.rouge(List.of("to to to to"), List.of("to be to"));
    assertThat(repeated.get("rouge1")).isCloseTo(2 * 0.5 * (2.0 / 3) / (0.5 + 2.0 / 3), EXACT);
    assertThat(repeated.get("rouge2")).isZero();
    // nothing said, one word said, letters that are none: naïve is na and ve
    assertThat(Scores.rouge(List.of(""), List.of("x")).main()).isZero();
    assertThat(Scores.rouge(List.of("x"), List.of("x")).get("rouge2")).isZero();
    assertThat(Scores.rouge(List.of("na ve"), List.of("na\u00efve")).main()).isEqualTo(1);
    // the example of rouge_score's README
    Metrics readme =
        Scores.rouge(
            List.of("The quick brown dog jumps on the log."),
            List.of("The quick brown fox jumps over the lazy dog"));
    assertThat(readme.get("rouge1")).isCloseTo(12.0 / 17, EXACT); // 6 of 8, 6 of 9
    assertThat(readme.get("rougeL")).isCloseTo(10.0 / 17, EXACT); // the quick brown jumps the
    assertThat(readme.mainName()).isEqualTo("rougeL");
    assertThat(Scores.rouge(List.of("x", "y"), List.of("x", "z")).main()).isEqualTo(0.5);
  }

  @Test
  void answers_in_squads_normalisation() {
    Metrics m =
        Scores.questionAnswering(
            List.of("The Eiffel-Tower!", "in the year 1889", "", "something", "An apple"),
            List.of(
                List.of("eiffeltower"), // hyphens go without a space
                List.of("1889", "the year of 1889"), // the second: 2 of 3 shared, 2 of 3
                List.of(""), // no answer, none given
                List.of(""), // no answer, one given
                List.of("pear", "apple")));
    assertThat(m.get("exact_match")).isCloseTo(3.0 / 5, EXACT);
    assertThat(m.get("f1")).isCloseTo((1 + 2.0 / 3 + 1 + 0 + 1) / 5, EXACT);
    assertThat(Scores.questionAnswering(List.of("anthem"), List.of(List.of("them"))).main())
        .as("articles are whole words")
        .isZero();
  }

  @Test
  void entities_count_when_type_begin_and_end_are_right() {
    Metrics m =
        Scores.tokenClassification(
            List.of(words("O O B-MISC I-MISC I-MISC I-MISC O"), words("B-PER I-PER O")),
            List.of(words("O O O B-MISC I-MISC I-MISC O"), words("B-PER I-PER O")));
    assertThat(m.get("f1")).isEqualTo(0.5); // the example of seqeval's README
    assertThat(m.get("accuracy")).isCloseTo(8.0 / 10, EXACT);
    assertThat(m.mainName()).isEqualTo("f1");
  }

  @Test
  void tags_are_read_as_conlleval_reads_them() {
    assertThat(Entities.of(words("I-PER I-PER B-PER I-LOC O I-LOC")))
        .containsExactly(
            new Entities.Entity("PER", 0, 1),
            new Entities.Entity("PER", 2, 2),
            new Entities.Entity("LOC", 3, 3),
            new Entities.Entity("LOC", 5, 5));
    assertThat(Entities.of(words("S-A B-B E-B E-B I-B O")))
        .containsExactly(
            new Entities.Entity("A", 0, 0),
            new Entities.Entity("B", 1, 2),
            new Entities.Entity("B", 3, 3),
            new Entities.Entity("B", 4, 4));
    assertThat(Entities.of(words("O O"))).isEmpty();
    Metrics m =
        Scores.tokenClassification(
            List.of(words("B-A I-A B-A O")), List.of(words("B-A B-A B-A B-B")));
    assertThat(m.get("precision")).isEqualTo(0.5);
    assertThat(m.get("recall")).isEqualTo(0.25);
    assertThat(m.get("f1")).isCloseTo(1.0 / 3, EXACT);
  }
}
