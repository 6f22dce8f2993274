package org.peft4j.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Ids are those of Python's tokenizers 0.23 on the same files. */
@Tag("fast")
class TokenizerTest {
  private Path file;
  private Tokenizer tokenizer;

  @BeforeEach
  void load(@TempDir Path folder) {
    file = TinyTokenizer.write(folder, TinyTokenizer.WORD_PIECE);
    tokenizer = Tokenizer.load(file);
  }

  @AfterEach
  void close() {
    tokenizer.close();
  }

  @Test
  void adds_special_tokens_and_splits_words_into_pieces() {
    assertThat(tokenizer.encode("Hello worlds zebra")).isEqualTo(Tokens.of(2, 9, 10, 11, 1, 3));
  }

  @Test
  void padding_stored_in_the_file_does_not_leak() {
    assertThat(tokenizer.encode("a")).isEqualTo(Tokens.of(2, 4, 3));
    assertThat(tokenizer.encodeAll(List.of("a", "a b c")))
        .containsExactly(Tokens.of(2, 4, 3), Tokens.of(2, 4, 5, 6, 3));
    assertThat(tokenizer.maxLength(5).encode("a")).isEqualTo(Tokens.of(2, 4, 3));
  }

  @Test
  void truncation_stored_in_the_file_does_not_leak() {
    assertThat(tokenizer.encode("a b c d e a b c").length()).isEqualTo(10);
    assertThat(tokenizer.maxLength(9).encode("a b c d e a b c").length()).isEqualTo(9);
    assertThat(tokenizer.encode("a ".repeat(10_000)).length()).isEqualTo(10_002);
  }

  @Test
  void a_pair_has_type_1_in_its_second_text() {
    Tokens pair = tokenizer.encodePair("a b", "c");
    assertThat(pair.ids()).containsExactly(2, 4, 5, 3, 6, 3);
    assertThat(pair.typeIds()).containsExactly(0, 0, 0, 0, 1, 1);
    assertThat(pair.attentionMask()).containsExactly(1, 1, 1, 1, 1, 1);
  }

  @Test
  void cuts_a_text_at_the_asked_end_and_keeps_special_tokens() {
    assertThat(tokenizer.maxLength(5).encode("a b c d e").ids()).containsExactly(2, 4, 5, 6, 3);
    assertThat(tokenizer.maxLength(5, Side.LEFT).encode("a b c d e").ids())
        .containsExactly(2, 6, 7, 8, 3);
    assertThat(tokenizer.withSpecialTokens(false).maxLength(2).encode("a b c").ids())
        .containsExactly(4, 5);
    assertThat(tokenizer.maxLength(7).encode("a b c d e").ids())
        .containsExactly(2, 4, 5, 6, 7, 8, 3);
  }

  @ParameterizedTest
  @CsvSource({
    "a, a b c d e, 8, 2 4 3 4 5 6 7 3",
    "a b c d e, a, 8, 2 4 5 6 7 3 4 3",
    "a b c d e, a b c d e, 8, 2 4 5 3 4 5 6 3",
    "a b c d e, a b c d, 8, 2 4 5 6 3 4 5 3",
    "a b c, a b c d e, 7, 2 4 5 3 4 5 3",
    "a b, a b, 7, 2 4 5 3 4 5 3"
  })
  void cuts_the_longer_text_of_a_pair_first(String a, String b, int max, String ids) {
    assertThat(tokenizer.maxLength(max).encodePair(a, b).ids())
        .containsExactly(List.of(ids.split(" ")).stream().mapToLong(Long::parseLong).toArray());
  }

  @Test
  void refuses_a_length_that_special_tokens_fill() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> tokenizer.maxLength(2))
        .withMessageContaining("maxLength(2)")
        .withMessageContaining("at least 3");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> tokenizer.withSpecialTokens(false).maxLength(0));
    Tokenizer three = tokenizer.maxLength(3);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> three.encodePair("a", "b"))
        .withMessageContaining("at least 4");
  }

  @Test
  void settings_leave_the_tokenizer_they_come_from_as_it_is() {
    Tokenizer bare = tokenizer.withSpecialTokens(false).maxLength(1);
    assertThat(bare.encode("a b").ids()).containsExactly(4);
    assertThat(tokenizer.encode("a b").ids()).containsExactly(2, 4, 5, 3);
    assertThat(bare.withSpecialTokens(false).encode("a b").ids()).containsExactly(4);
  }

  @Test
  void text_that_spells_a_special_token_is_cut_like_any_other() {
    assertThat(tokenizer.encode("a [SEP] b").ids()).containsExactly(2, 4, 3, 5, 3);
    assertThat(tokenizer.maxLength(4).encode("a [SEP] b").ids()).containsExactly(2, 4, 3, 3);
  }

  @Test
  void decodes_with_and_without_special_tokens() {
    long[] ids = {2, 9, 10, 11, 3, 0};
    assertThat(tokenizer.decode(ids, true)).isEqualTo("hello worlds");
    assertThat(tokenizer.decode(ids, false)).isEqualTo("[CLS] hello worlds [SEP] [PAD]");
    assertThat(tokenizer.decode(new long[0], true)).isEmpty();
    assertThat(tokenizer.decode(new long[] {9, 4_000}, true)).isEqualTo("hello");
  }

  @Test
  void refuses_to_decode_what_cannot_be_an_id() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> tokenizer.decode(new long[] {9, -100}, true))
        .withMessageContaining("found: -100 at index 1");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> tokenizer.decode(new long[] {(1L << 32) + 9}, true));
  }

  @Test
  void knows_its_vocabulary() {
    assertThat(tokenizer.vocabularySize()).isEqualTo(12);
    assertThat(tokenizer.tokenId("[PAD]")).isZero();
    assertThat(tokenizer.tokenId("##s")).isEqualTo(11);
    assertThat(tokenizer.token(10)).isEqualTo("world");
    assertThat(tokenizer.hasToken("[MASK]")).isFalse();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> tokenizer.tokenId("[MASK]"))
        .withMessageContaining("no token \"[MASK]\"")
        .withMessageContaining("[PAD], [CLS], [SEP]");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> tokenizer.token(12))
        .withMessageContaining("0 to 11");
  }

  @Test
  void reads_byte_level_bpe_with_tokens_added_beyond_the_vocabulary(@TempDir Path folder) {
    TinyTokenizer.write(folder, TinyTokenizer.BYTE_BPE);
    try (Tokenizer bpe = Tokenizer.load(folder)) {
      assertThat(bpe.encode("abc ab<|end|>").ids()).containsExactly(10, 5, 13);
      assertThat(bpe.encode("").length()).isZero();
      assertThat(bpe.decode(new long[] {10, 5, 13}, true)).isEqualTo("abc ab");
      assertThat(bpe.vocabularySize()).isEqualTo(14);
      assertThat(bpe.padId()).isZero();
      assertThat(bpe.encodePair("ab", " ab").ids()).containsExactly(4, 5);
      assertThat(bpe.maxLength(3).encodePair("aba", "abababab").ids()).containsExactly(4, 4, 4);
    }
  }

  @Test
  void reads_unigram_pieces(@TempDir Path folder) {
    TinyTokenizer.write(folder, TinyTokenizer.UNIGRAM);
    try (Tokenizer unigram = Tokenizer.load(folder)) {
      assertThat(unigram.encode("yes no").ids()).containsExactly(2, 3, 4);
      assertThat(unigram.vocabularySize()).isEqualTo(6);
      assertThat(unigram.tokenId("\u2581no")).isEqualTo(5);
      assertThat(unigram.padId()).isEqualTo(1);
    }
  }

  @Test
  void spans_count_chars_also_behind_characters_of_two() {
    assertThat(tokenizer.spans("\ud83d\ude00 Worlds"))
        .containsExactly(
            new Span(0, 0), new Span(0, 2), new Span(3, 8), new Span(8, 9), new Span(0, 0));
    assertThat(tokenizer.maxLength(3, Side.LEFT).spans("a b"))
        .containsExactly(new Span(0, 0), new Span(2, 3), new Span(0, 0));
  }

  @Test
  void half_a_surrogate_pair_and_a_zero_char_do_no_harm() {
    assertThat(tokenizer.encode("a \ud83d b \0").ids()).containsExactly(2, 4, 5, 3);
    assertThat(tokenizer.spans("\ude00 a")).hasSize(3).contains(new Span(2, 3));
  }

  @Test
  void a_null_text_is_a_java_exception() {
    assertThatNullPointerException().isThrownBy(() -> tokenizer.encode(nothing()));
    assertThatNullPointerException().isThrownBy(() -> tokenizer.encodePair("a", nothing()));
  }

  @SuppressWarnings("NullAway") // what a caller without null checks may pass
  private static String nothing() {
    return null;
  }

  @Test
  void a_text_that_cannot_be_encoded_is_an_error_also_among_many(@TempDir Path folder) {
    Path words = TinyTokenizer.write(folder, TinyTokenizer.WORDS_ONLY);
    try (Tokenizer t = Tokenizer.load(words)) {
      assertThat(t.encode("yes no yes").ids()).containsExactly(0, 1, 0);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> t.encode("maybe"))
          .withMessageContaining(words.toString())
          .withMessageContaining("cannot encode \"maybe\"")
          .withMessageContaining("[UNK]");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> t.encodeAll(List.of("yes", "maybe", "no")));
    }
  }

  @Test
  void many_threads_get_what_one_gets() {
    List<String> texts =
        IntStream.range(0, 4_000).mapToObj(i -> "a b ".repeat(i % 7) + "world").toList();
    List<Tokens> alone = texts.stream().map(tokenizer::encode).toList();
    assertThat(tokenizer.encodeAll(texts)).isEqualTo(alone);
    Tokenizer cut = tokenizer.maxLength(4);
    List<Integer> mixed =
        IntStream.range(0, 4_000)
            .parallel()
            .mapToObj(i -> (i % 2 == 0 ? tokenizer : cut).encode(texts.get(i)).length())
            .toList();
    assertThat(mixed)
        .isEqualTo(
            IntStream.range(0, 4_000)
                .mapToObj(i -> i % 2 == 0 ? 2 * (i % 7) + 3 : Math.min(4, 2 * (i % 7) + 3))
                .toList());
  }

  @Test
  void closing_waits_for_calls_under_way_and_stops_later_ones() throws InterruptedException {
    List<String> texts = IntStream.range(0, 200).mapToObj(i -> "hello world ".repeat(50)).toList();
    List<Throwable> failures = new java.util.concurrent.CopyOnWriteArrayList<>();
    Thread worker =
        new Thread(
            () -> {
              try {
                while (true) {
                  texts.forEach(tokenizer::encode);
                }
              } catch (RuntimeException e) {
                failures.add(e);
              }
            });
    worker.start();
    tokenizer.encodeAll(texts);
    tokenizer.maxLength(3).close();
    worker.join();
    assertThat(failures).singleElement().isInstanceOf(IllegalStateException.class);
    assertThat(tokenizer.isOpen()).isFalse();
    assertThatThrownBy(() -> tokenizer.decode(new long[] {4}, true))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining(file.toString())
        .hasMessageContaining("closed");
    tokenizer.close();
  }

  @Test
  void encodes_with_or_without_special_tokens_and_pads_on_either_side() {
    assertThat(tokenizer.encode("a b", false)).isEqualTo(Tokens.of(4, 5));
    assertThat(tokenizer.encode("a b", true)).isEqualTo(Tokens.of(2, 4, 5, 3));
    Batch left = tokenizer.withSpecialTokens(false).batch(List.of("a", "a b"), Side.LEFT);
    assertThat(left.ids()).isDeepEqualTo(new long[][] {{0, 4}, {4, 5}});
    assertThat(left.attentionMask()).isDeepEqualTo(new long[][] {{0, 1}, {1, 1}});
    assertThat(tokenizer.batch(List.of("a", "a b"), Side.RIGHT).ids())
        .isDeepEqualTo(new long[][] {{2, 4, 3, 0}, {2, 4, 5, 3}});
    assertThat(tokenizer.decode(new long[] {2, 4, 3}, false)).isEqualTo("[CLS] a [SEP]");
    assertThat(tokenizer.decode(new long[] {2, 4, 3}, true)).isEqualTo("a");
    assertThat(tokenizer.addedTokens()).containsExactly("[PAD]", "[CLS]", "[SEP]");
    assertThat(tokenizer.hasToken(11)).isTrue();
    assertThat(tokenizer.hasToken(12)).isFalse();
  }

  @Test
  void pads_a_causal_model_s_texts_with_the_token_that_ends_a_text(@TempDir Path folder)
      throws IOException {
    TinyTokenizer.write(folder, TinyTokenizer.BYTE_BPE);
    Path config = folder.resolve("tokenizer_config.json");
    Files.writeString(config, "{\"bos_token\": null, \"eos_token\": {\"content\": \"<|end|>\"}}");
    try (Tokenizer bpe = Tokenizer.load(folder)) {
      assertThat(bpe.eosId()).hasValue(13);
      assertThat(bpe.bosId()).isEmpty();
      assertThat(bpe.padId()).isEqualTo(13);
      assertThat(bpe.specialTokens()).containsExactly(Map.entry("eos_token", "<|end|>"));
      assertThat(bpe.batch(List.of("ab", "a ab"), Side.LEFT).ids())
          .isDeepEqualTo(new long[][] {{13, 4}, {0, 5}});
    }
    Files.writeString(config, "{\"pad_token\": \"?\", \"eos_token\": \"<|end|>\"}");
    try (Tokenizer bpe = Tokenizer.load(folder)) {
      assertThat(bpe.padId()).isEqualTo(12);
    }
    Files.writeString(config, "{\"pad_token\": 3}");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Tokenizer.load(folder))
        .withMessageContaining("pad_token");
  }

  @Test
  void encodes_a_conversation_by_the_template_beside_it(@TempDir Path folder) throws IOException {
    TinyTokenizer.write(folder, TinyTokenizer.WORD_PIECE);
    List<Message> messages = List.of(Message.user("hello"), Message.assistant("world"));
    try (Tokenizer t = Tokenizer.load(folder)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> t.encode(messages, true))
          .withMessageContaining("no chat template");
      Files.writeString(
          folder.resolve("chat_template.jinja"),
          "{% for m in messages %}a {{ m.content }}{{ sep_token }}{% endfor %}"
              + "{{ 'b' if add_generation_prompt }}");
      Files.writeString(folder.resolve("tokenizer_config.json"), "{\"sep_token\": \"[SEP]\"}");
      assertThat(t.encode(messages, true)).isEqualTo(Tokens.of(4, 9, 3, 4, 10, 3, 5));
      assertThat(t.encode(messages, false)).isEqualTo(Tokens.of(4, 9, 3, 4, 10, 3));
    }
  }

  @Test
  void prints_what_it_is() {
    assertThat(tokenizer.maxLength(5).withSpecialTokens(false))
        .hasToString("tokenizer tokenizer.json: 12 tokens, none added, at most 5");
  }
}
