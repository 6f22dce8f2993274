package org.peft4j.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("fast")
class MaskTest {
  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '"',
      value = {
        "dog, a dog that barks, a ___ that barks",
        "dog, Dogs and hotdogs and dogged, ___ and hotdogs and dogged",
        "box, boxes in a box, ___ in a ___",
        "berry, a berry or berries, a ___ or ___",
        "berry, with Berries, with ___",
        "toy, toys of a toy store, ___ of a ___ store",
        "toy, toies, toies",
        "ice cream, ICE CREAM and ice-cream and ice creams, ___ and ___ and ___",
        "ice cream, ice and cream, ice and cream",
        "ice-cream, ice cream, ___",
        "Newton, Newton's law and newtons, ___'s law and ___",
        "cat's-ear, leaves like a cat's-ear, leaves like a ___",
        "moo-cow, (`moo-cow' is a child's term), (`___' is a child's term)",
        "vitamin B12, vitamin B12 and vitamin B, ___ and vitamin B",
        "C++, in C++ or C, in ___ or C",
        "9/11, the events of 9/11, the events of ___",
        "smoker, a non-smoker, a non-___"
      })
  void hides_a_word_and_its_plurals(String word, String definition, String expected) {
    assertThat(Mask.apply(definition, List.of(word))).isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({
    "US, the US is not us, the ___ is not us",
    "WHO, a doctor who joined the WHO, a doctor who joined the ___",
    "As, as a metal As is brittle, as a metal ___ is brittle",
    "A, a kind of A, a kind of ___",
    "a, As a letter A, As ___ letter A",
    "IN, in IN and ins, in ___ and ins",
    "1900s, in the 1900s, in the ___",
    "ox, an Ox or oxes, an ___ or ___"
  })
  void abbreviations_and_symbols_are_hidden_as_written_only(
      String word, String definition, String expected) {
    assertThat(Mask.apply(definition, List.of(word))).isEqualTo(expected);
  }

  @Test
  void the_longest_of_several_words_goes_first() {
    assertThat(Mask.apply("Big Mac or Mac or big", List.of("Mac", "Big Mac")))
        .isEqualTo("___ or ___ or big");
    assertThat(Mask.apply("ice cream and ice", List.of("ice", "ice cream")))
        .isEqualTo("___ and ___");
  }

  @Test
  void a_definition_without_its_words_stays_the_same_string() {
    String definition = "a large feline ($5 in \\ some places)";
    assertThat(Mask.apply(definition, List.of("lion", "king of beasts"))).isSameAs(definition);
    assertThat(Mask.apply("$1 \\ lion", List.of("lion"))).isEqualTo("$1 \\ ___");
  }
}
