package org.peft4j.text;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;
import org.peft4j.text.jinja.Template;

/**
 * Chat templates in a model's folder, by name: {@code chat_template.jinja} with {@code
 * additional_chat_templates/NAME.jinja}; else {@code chat_template} in {@code
 * tokenizer_config.json}, a string or a list of {@code {"name", "template"}}; else {@code
 * chat_template.json}.
 */
final class ChatTemplateFiles {
  static final String DEFAULT = "default";
  private static final String KEY = "chat_template";

  private ChatTemplateFiles() {}

  static Map<String, Template> read(Path folder) throws IOException {
    Map<String, Template> out = new LinkedHashMap<>();
    Path single = folder.resolve("chat_template.jinja");
    if (Files.isRegularFile(single)) {
      out.put(DEFAULT, parse(single));
    }
    Path more = folder.resolve("additional_chat_templates");
    if (Files.isDirectory(more)) {
      try (Stream<Path> files = Files.list(more)) {
        for (Path file : files.filter(f -> f.toString().endsWith(".jinja")).sorted().toList()) {
          String name = file.getFileName().toString();
          out.put(name.substring(0, name.length() - ".jinja".length()), parse(file));
        }
      }
    }
    for (String json : List.of(SpecialTokens.CONFIG, "chat_template.json")) {
      Path file = folder.resolve(json);
      if (out.isEmpty() && Files.isRegularFile(file)) {
        add(file, Json.read(file).get(KEY), out);
      }
    }
    return out;
  }

  private static Template parse(Path file) throws IOException {
    return Template.parse(Files.readString(file), file.toString());
  }

  private static void add(Path file, @Nullable Object value, Map<String, Template> out) {
    if (value instanceof String source) {
      out.put(DEFAULT, Template.parse(source, file + " " + KEY));
    } else if (value instanceof List<?> list) {
      for (Object item : list) {
        if (!(item instanceof Map<?, ?> entry)
            || !(entry.get("name") instanceof String name)
            || !(entry.get("template") instanceof String source)) {
          throw malformed(file, item);
        }
        out.put(name, Template.parse(source, file + " " + KEY + " \"" + name + "\""));
      }
    } else if (value != null) {
      throw malformed(file, value);
    }
  }

  private static IllegalArgumentException malformed(Path file, @Nullable Object found) {
    return new IllegalArgumentException(
        "%s: %s\nexpected: a string, or a list of {\"name\", \"template\"}\nfound: %s"
            .formatted(file, KEY, found));
  }
}
