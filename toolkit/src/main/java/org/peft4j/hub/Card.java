package org.peft4j.hub;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A model card that learns where it lies, and how well the model did. */
final class Card {
  static final String FILE = "README.md";
  private static final String JAVA = "Path.of(\"this-directory\")";
  private static final String PYTHON = "\"this-directory\"";

  private Card() {}

  /** What is pushed of a card; null for other files. */
  static @Nullable String fitted(String path, Path file, String id, Map<String, Double> metrics)
      throws IOException {
    if (!path.equals(FILE)) {
      return null;
    }
    String text =
        Files.readString(file)
            .replace(JAVA, "\"" + Repository.PREFIX + id + "\"")
            .replace(PYTHON, "\"" + id + "\"");
    return text + results(metrics);
  }

  private static String results(Map<String, Double> metrics) {
    if (metrics.isEmpty()) {
      return "";
    }
    StringBuilder s = new StringBuilder("\n## Results\n\n| figure | value |\n|---|---:|\n");
    metrics.forEach(
        (name, value) ->
            s.append("| ")
                .append(name.replace("|", "\\|"))
                .append(String.format(Locale.ROOT, " | %.4f |%n", value)));
    return s.toString();
  }
}
