package org.peft4j.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Vocabularies by hand; those of real kinds are held to Hugging Face's in GgufTokenizersTest. */
@Tag("fast")
class GgmlTokenizerTest {
  private static final Path FILE = Path.of("m.gguf");

  private static GgmlVocabulary pieces(
      @Nullable Boolean addBegin, @Nullable Boolean addEnd, @Nullable Boolean addSpace) {
    return new GgmlVocabulary(
        "llama",
        "default",
        List.of("<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁a", "▁ab"),
        List.of(
            GgmlVocabulary.Kind.UNKNOWN,
            GgmlVocabulary.Kind.CONTROL,
            GgmlVocabulary.Kind.CONTROL,
            GgmlVocabulary.Kind.NORMAL,
            GgmlVocabulary.Kind.NORMAL,
            GgmlVocabulary.Kind.NORMAL,
            GgmlVocabulary.Kind.NORMAL,
            GgmlVocabulary.Kind.NORMAL,
            GgmlVocabulary.Kind.NORMAL),
        List.of(0f, 0f, 0f, -9f, -9f, -9f, -2f, -1f, -3f),
        List.of(),
        1,
        2,
        0,
        null,
        addBegin,
        addEnd,
        addSpace,
        null);
  }

  /** One with the usual ends and blank. */
  static Tokenizer tokenizer() {
    return Tokenizer.of(pieces(null, null, null), FILE);
  }

  @Test
  void the_best_score_joins_first() {
    try (Tokenizer t = Tokenizer.of(pieces(null, null, null), FILE)) {
      assertThat(t.encode("ab").ids()).containsExactly(1, 8);
      assertThat(t.encode("aab").ids()).containsExactly(1, 7, 6); // ▁a, then ab
      assertThat(t.encode("a<s>b?").ids()).containsExactly(1, 7, 1, 3, 5, 0);
      assertThat(t.decode(new long[] {1, 7, 6}, true)).isEqualTo("aab");
    }
  }

  @Test
  void ends_and_blank_as_the_file_says() {
    try (Tokenizer t = Tokenizer.of(pieces(false, true, false), FILE)) {
      assertThat(t.encode("ab").ids()).containsExactly(6, 2);
      assertThat(t.encodePair("a", "b").ids()).containsExactly(4, 2, 5, 2);
      assertThat(t.withSpecialTokens(false).encode("ab").ids()).containsExactly(6);
      assertThat(t.decode(new long[] {3, 6}, true)).isEqualTo(" ab");
    }
  }

  @Test
  void what_is_not_known_is_named() {
    GgmlVocabulary v = pieces(null, null, null);
    assertThatThrownBy(() -> Tokenizer.of(with(v, "bert", "x", v.scores()), FILE))
        .hasMessageContainingAll("m.gguf", "tokenizer.ggml.model", "[gpt2, llama]", "found: bert");
    assertThatThrownBy(() -> Tokenizer.of(with(v, "gpt2", "odd", v.scores()), FILE))
        .hasMessageContainingAll("tokenizer.ggml.pre", "smollm", "found: odd");
    assertThatThrownBy(() -> Tokenizer.of(with(v, "llama", "default", List.of()), FILE))
        .hasMessageContaining("scores");
    assertThatThrownBy(() -> Tokenizer.of(with(v, "llama", "default", List.of(1f)), FILE))
        .hasMessageContainingAll("expected 9 scores", "found 1");
  }

  private static GgmlVocabulary with(
      GgmlVocabulary v, String model, String pre, List<Float> scores) {
    return new GgmlVocabulary(
        model,
        pre,
        v.tokens(),
        v.kinds(),
        scores,
        List.of(),
        1,
        2,
        0,
        null,
        null,
        null,
        null,
        null);
  }
}
