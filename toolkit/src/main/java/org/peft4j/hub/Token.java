package org.peft4j.hub;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.peft4j.tensor.CacheHome;

/**
 * Who asks: an access token, from {@code HF_TOKEN} or the file that {@code hf auth login} writes.
 * Never printed.
 */
final class Token {
  private final String value;
  private final String source;

  private Token(String value, String source) {
    this.value = value;
    this.source = source;
  }

  /** The user's token, or null. */
  static @Nullable Token find(Path file) {
    if (Switch.isOn("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
      return null;
    }
    for (String name : new String[] {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
      String set = CacheHome.setting(name);
      if (set != null && !set.strip().isEmpty()) {
        return of(set, name);
      }
    }
    if (!Files.isRegularFile(file)) {
      return null;
    }
    try {
      String text = Files.readString(file);
      return text.isBlank() ? null : of(text, file.toString());
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  private static Token of(String text, String source) {
    String value = text.strip();
    if (!value.matches("[\\x21-\\x7e]+")) {
      throw new IllegalArgumentException(
          Message.of(
              source,
              "not an access token",
              "one word of ASCII characters",
              "other characters",
              "copy it again from https://huggingface.co/settings/tokens"));
    }
    return new Token(value, source);
  }

  /** The header's value. */
  String bearer() {
    return "Bearer " + value;
  }

  /** Where it comes from, for messages. */
  String source() {
    return source;
  }

  @Override
  public String toString() {
    return "the token from " + source;
  }
}
