package org.peft4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("fast")
class SynsetTest {
  @Test
  void reads_words_with_lexical_ids_and_skips_pointers() {
    Synset synset =
        Synset.parse(
            "02086723 05 n 03 dog a domestic_dog 0 Canis_familiaris f 004 @ 02085998 n 0000"
                + " + 01352154 a 0101 #m 07994941 n 0000 ;u 07075172 n 0102 | a member of the genus"
                + " Canis; \"the dog barked all night\"  ");
    assertThat(synset.label()).isEqualTo(Supersenses.NAMES.indexOf("noun.animal"));
    assertThat(synset.lemmas()).containsExactly("dog", "domestic dog", "Canis familiaris");
    assertThat(synset.gloss())
        .isEqualTo("a member of the genus Canis; \"the dog barked all night\"");
  }

  @Test
  void counts_words_in_hexadecimal_and_pointers_in_decimal() {
    String words = "w 0 ".repeat(17);
    String pointers = "~ 00001930 n 0000 ".repeat(10);
    Synset synset = Synset.parse("00000001 28 n 11 " + words + "010 " + pointers + "| a time");
    assertThat(synset.lemmas()).hasSize(17);
    assertThat(synset.label()).isEqualTo(25);
    assertThat(Supersenses.NAMES).hasSize(26).endsWith("noun.time");
    assertThat(Synset.parse("00000001 03 n 0a " + "w 0 ".repeat(10) + "000 | x").lemmas())
        .hasSize(10);
  }

  @Test
  void words_may_look_like_anything_but_a_space() {
    Synset synset =
        Synset.parse("00000001 10 n 04 'hood 0 .22 0 9/11 0 AC/DC 1 000 | a list; of things");
    assertThat(synset.lemmas()).isEqualTo(List.of("'hood", ".22", "9/11", "AC/DC"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '=',
      quoteCharacter = '\0',
      value = {
        "a dog = a dog",
        "a dog; \"it barks\" = a dog",
        "a dog; a cat; \"it barks; loudly\"; \"it mews\" = a dog; a cat",
        "a dog; \"it barks\"- H.R.Finch = a dog",
        "a range: \"the range of a jet\" = a range",
        "a call in \"the call of duty\" = a call in \"the call of duty\"",
        "the word \"Negro\"; and \"others\" too = the word \"Negro\"; and \"others\" too",
        "two   spaces ;  and a gap = two spaces; and a gap",
        "an unclosed \"quote; here = an unclosed \"quote; here",
        "\"only an example\" = ''"
      })
  void a_definition_is_the_gloss_without_quoted_examples(String gloss, String definition) {
    assertThat(new Synset(0, List.of("x"), gloss).definition())
        .isEqualTo(definition.equals("''") ? "" : definition);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '=',
      value = {
        "00000001 03 n 01 entity 0 000 = no gloss",
        "03 n 01 entity 0 000 | x = 6 fields",
        "0000000x 03 n 01 entity 0 000 | x = synset_offset is \"0000000x\"",
        "00000001 29 n 01 entity 0 000 | x = lex_filenum 29",
        "00000001 02 n 01 entity 0 000 | x = lex_filenum 02",
        "00000001 3 n 01 entity 0 000 | x = lex_filenum is \"3\"",
        "00000001 03 v 01 entity 0 000 | x = ss_type v",
        "00000001 03 s 01 entity 0 000 | x = ss_type s",
        "00000001 03 n 0g entity 0 000 | x = w_cnt is \"0g\"",
        "00000001 03 n 00 entity 0 000 | x = w_cnt 00 does not fit",
        "00000001 03 n ff entity 0 000 | x = w_cnt ff does not fit",
        "00000001 03 n 02 entity 0 000 | x = w_cnt 02 does not fit",
        "00000001 03 n 01 entity 0 00x | x = p_cnt is \"00x\"",
        "00000001 03 n 01 entity 0 001 @ 00000002 n | x = p_cnt 001, but 3 fields",
        "00000001 03 n 01 entity 0 000 @ 00000002 n 0000 | x = p_cnt 000, but 4 fields"
      })
  void says_what_is_wrong_with_a_line(String line, String message) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Synset.parse(line))
        .withMessageContaining(message);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 8, 12, 17, 30, 45, 60})
  void every_cut_off_line_is_an_error_or_a_shorter_gloss(int length) {
    String line = "00000001 03 n 01 entity 0 001 @ 00000002 n 0000 | a thing that is there";
    try {
      assertThat(line).contains(Synset.parse(line.substring(0, length)).gloss());
    } catch (IllegalArgumentException e) {
      assertThat(e).hasMessageMatching("(?s).*(gloss|fields|w_cnt|p_cnt).*");
    }
  }
}
