package org.peft4j.text;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;

/**
 * Special tokens by their part: {@code bos_token}, {@code eos_token}, {@code unk_token}, {@code
 * sep_token}, {@code pad_token}, {@code cls_token}, {@code mask_token}, as {@code
 * tokenizer_config.json} says, and {@code special_tokens_map.json} where that says nothing. Each is
 * a string, or an object with {@code content}.
 */
final class SpecialTokens {
  static final String CONFIG = "tokenizer_config.json";
  private static final String LEGACY = "special_tokens_map.json";
  private static final List<String> PARTS =
      List.of(
          "bos_token",
          "eos_token",
          "unk_token",
          "sep_token",
          "pad_token",
          "cls_token",
          "mask_token");

  private SpecialTokens() {}

  static Map<String, String> read(Path folder) throws IOException {
    Map<String, String> out = new LinkedHashMap<>();
    add(folder.resolve(CONFIG), out);
    add(folder.resolve(LEGACY), out);
    return Collections.unmodifiableMap(out);
  }

  private static void add(Path file, Map<String, String> out) throws IOException {
    if (!Files.isRegularFile(file)) {
      return;
    }
    Map<String, @Nullable Object> values = Json.read(file);
    for (String part : PARTS) {
      Object value = values.get(part);
      String text =
          value instanceof Map<?, ?> token && token.get("content") instanceof String s ? s : null;
      if (value instanceof String s) {
        text = s;
      }
      if (text != null) {
        out.putIfAbsent(part, text);
      } else if (value != null) {
        throw new IllegalArgumentException(
            "%s: %s\nexpected: a string, or an object with \"content\"\nfound: %s"
                .formatted(file, part, value));
      }
    }
  }
}
