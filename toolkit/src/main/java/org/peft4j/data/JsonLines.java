package org.peft4j.data;

import java.nio.file.Path;
import java.util.Map;
import java.util.function.ObjIntConsumer;
import org.peft4j.format.Json;

/** Files of one JSON object a line. */
final class JsonLines {
  private JsonLines() {}

  /** Hands over every object and its line, from 1; a line that is none is noted. */
  static void each(Path file, Problems problems, ObjIntConsumer<Map<?, ?>> row) {
    int line = 0;
    for (String json : LabelledFiles.read(file).split("\r?\n")) {
      line++;
      if (json.isBlank()) {
        continue;
      }
      Object value;
      try {
        value = Json.parse(json, "json");
      } catch (IllegalArgumentException e) {
        problems.add(line, "not JSON: " + json);
        continue;
      }
      if (value instanceof Map<?, ?> object) {
        row.accept(object, line);
      } else {
        problems.add(line, json);
      }
    }
  }

  /** What stands under a key, in the words of an error. */
  static String found(Map<?, ?> object, String key) {
    return object.containsKey(key)
        ? "\"%s\": %s".formatted(key, object.get(key))
        : "no \"%s\" among %s".formatted(key, object.keySet());
  }
}
