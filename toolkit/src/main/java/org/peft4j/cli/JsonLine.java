package org.peft4j.cli;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The last line of standard output under {@code --json}. */
final class JsonLine {
  private JsonLine() {}

  static void print(Map<String, @Nullable Object> values) {
    System.out.println(org.peft4j.format.Json.line(values));
  }
}
