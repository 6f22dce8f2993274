package org.peft4j.text;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A tokenizer as the keys {@code tokenizer.ggml.*} of a GGUF file describe it.
 *
 * @param model {@code gpt2} for byte-level BPE, {@code llama} for SentencePiece's BPE
 * @param pre name of the way a text is cut into words first
 * @param tokens by id
 * @param kinds of the tokens, one each; empty when all are normal
 * @param scores of the tokens, one each; SentencePiece only
 * @param merges pairs of pieces with a blank between them, the earliest first; byte-level only
 * @param begin id of the token that begins a text; likewise the other ids
 * @param addBegin whether a text gets it; null for what the model usually does
 * @param addSpace whether a text gets a leading blank, likewise; SentencePiece only
 * @param chatTemplate Jinja source of the chat format
 */
public record GgmlVocabulary(
    String model,
    String pre,
    List<String> tokens,
    List<Kind> kinds,
    List<Float> scores,
    List<String> merges,
    @Nullable Integer begin,
    @Nullable Integer end,
    @Nullable Integer unknown,
    @Nullable Integer padding,
    @Nullable Boolean addBegin,
    @Nullable Boolean addEnd,
    @Nullable Boolean addSpace,
    @Nullable String chatTemplate) {

  /** What a token is, in the order of ggml's numbers. */
  public enum Kind {
    UNDEFINED(0),
    NORMAL(1),
    UNKNOWN(2),
    CONTROL(3),
    USER_DEFINED(4),
    UNUSED(5),
    BYTE(6);

    private final int number;

    Kind(int number) {
      this.number = number;
    }

    /** Its number in ggml. */
    public int number() {
      return number;
    }
  }

  Kind kind(int id) {
    return kinds.isEmpty() ? Kind.NORMAL : kinds.get(id);
  }

  /** The token of an id, or null where there is none. */
  public @Nullable String token(@Nullable Integer id) {
    return id == null || id < 0 || id >= tokens.size() ? null : tokens.get(id);
  }

  /**
   * Checks that the lists fit together.
   *
   * @throws IllegalArgumentException with a sentence that lacks its subject
   */
  void check() {
    if (tokens.isEmpty()) {
      throw new IllegalArgumentException("expected tokens, found none");
    }
    if (!kinds.isEmpty() && kinds.size() != tokens.size()) {
      throw new IllegalArgumentException(
          "expected " + tokens.size() + " token types, found " + kinds.size());
    }
    if (!scores.isEmpty() && scores.size() != tokens.size()) {
      throw new IllegalArgumentException(
          "expected " + tokens.size() + " scores, found " + scores.size());
    }
  }
}
