package org.peft4j.text;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How a byte-level BPE cuts a text into words before it merges bytes: expressions that apply one
 * after the other, each to the parts that those before it left. GGUF files name it in {@code
 * tokenizer.ggml.pre}; the expressions are those of the models' own tokenizer files.
 */
@SuppressWarnings("ImmutableEnumChecker") // unmodifiable lists
enum WordSplit {
  GPT2(Cuts.GPT2, false, false, "gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "gigachat"),
  SMOLLM(
      List.of("\\p{N}", Cuts.WORDS),
      false,
      false,
      "smollm",
      "starcoder",
      "refact",
      "command-r",
      "codeshell",
      "exaone",
      "minerva-7b"),
  LLAMA3(
      List.of(Cuts.contractions("\\p{N}{1,3}")),
      true,
      true,
      "llama-bpe",
      "llama3",
      "llama-v3",
      "falcon3"),
  QWEN2(List.of(Cuts.contractions("\\p{N}")), false, false, "qwen2", "deepseek-r1-qwen"),
  TEKKEN(List.of(Cuts.CASES), true, true, "tekken"),
  DEFAULT(
      List.of("[\\p{P}\\$\\+<=>\\^~\\|]+", Cuts.WORDS, "\\p{N}+", "[0-9][0-9][0-9]"),
      false,
      false,
      "default");

  private final List<String> names;
  private final List<String> expressions;
  private final boolean wholeWords;
  private final boolean begins;

  WordSplit(List<String> expressions, boolean wholeWords, boolean begins, String... names) {
    this.expressions = expressions;
    this.wholeWords = wholeWords;
    this.begins = begins;
    this.names = List.of(names);
  }

  /** The split of that name, or null. */
  static @Nullable WordSplit named(String name) {
    return Arrays.stream(values()).filter(s -> s.names.contains(name)).findFirst().orElse(null);
  }

  /** The split of those expressions, or null; {@code wholeWords} as in {@link #wholeWords}. */
  static @Nullable WordSplit of(List<String> expressions, boolean wholeWords) {
    return Arrays.stream(values())
        .filter(s -> s.expressions.equals(expressions) && s.wholeWords == wholeWords)
        .findFirst()
        .orElse(null);
  }

  /** All names. */
  static List<String> allNames() {
    return Arrays.stream(values()).flatMap(s -> s.names.stream()).toList();
  }

  /** The name to write. */
  String usualName() {
    return names.get(0);
  }

  List<String> expressions() {
    return expressions;
  }

  /** Whether a word that is a token stays whole, without asking the merges. */
  boolean wholeWords() {
    return wholeWords;
  }

  /** Whether a text begins with the beginning-of-text token where the file does not say. */
  boolean begins() {
    return begins;
  }

  /** Expressions; a holder, since an enum's constants come before its other statics. */
  private static final class Cuts {
    static final String WORDS =
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
    static final List<String> GPT2 = List.of(WORDS);
    static final String CASES =
        "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
            + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*"
            + "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

    static String contractions(String numbers) {
      return "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
          + numbers
          + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    }
  }
}
