package org.peft4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.GgufFile;
import org.peft4j.format.GgufMetadata;
import org.peft4j.text.GgmlVocabulary;
import org.peft4j.text.GgmlVocabulary.Kind;
import org.peft4j.text.Tokenizer;

/** The tokenizer that the metadata of a GGUF file describe. */
final class GgufTokenizer {
  static final String KEY = "tokenizer.ggml.";
  static final String TEMPLATE = "tokenizer.chat_template";

  private GgufTokenizer() {}

  /** The tokenizer; null when the file has none. */
  static @Nullable Tokenizer read(GgufFile file) {
    GgufMetadata m = file.metadata();
    if (!m.has(KEY + "model") || "none".equals(m.text(KEY + "model"))) {
      return null;
    }
    return Tokenizer.of(vocabulary(m), file.origin());
  }

  private static GgmlVocabulary vocabulary(GgufMetadata m) {
    return new GgmlVocabulary(
        m.requireText(KEY + "model"),
        Objects.requireNonNullElse(m.text(KEY + "pre"), "default"),
        texts(m, "tokens"),
        kinds(m),
        scores(m),
        texts(m, "merges"),
        id(m, "bos_token_id"),
        id(m, "eos_token_id"),
        id(m, "unknown_token_id"),
        id(m, "padding_token_id"),
        m.flag(KEY + "add_bos_token"),
        m.flag(KEY + "add_eos_token"),
        m.flag(KEY + "add_space_prefix"),
        m.text(TEMPLATE));
  }

  private static List<String> texts(GgufMetadata m, String end) {
    return Objects.requireNonNullElse(m.texts(KEY + end), List.of());
  }

  private static List<Kind> kinds(GgufMetadata m) {
    int[] types = m.integers(KEY + "token_type");
    Kind[] kinds = Kind.values(); // in the order of ggml's numbers
    List<Kind> out = new ArrayList<>();
    for (int type : types == null ? new int[0] : types) {
      if (type < 0 || type >= kinds.length) {
        throw m.wrong(KEY + "token_type", "numbers from 0 to " + (kinds.length - 1));
      }
      out.add(kinds[type]);
    }
    return out;
  }

  private static List<Float> scores(GgufMetadata m) {
    float[] scores = m.floats(KEY + "scores");
    List<Float> out = new ArrayList<>();
    for (float score : scores == null ? new float[0] : scores) {
      out.add(score);
    }
    return out;
  }

  private static @Nullable Integer id(GgufMetadata m, String end) {
    Long id = m.integer(KEY + end);
    return id == null || id < 0 || id > Integer.MAX_VALUE ? null : (Integer) id.intValue();
  }
}
