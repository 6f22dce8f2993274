package org.peft4j.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;

/** Reads texts and labels from files of records. */
final class LabelledFiles {
  private static final long LARGEST = 512L << 20;

  private LabelledFiles() {}

  static Examples csv(Path file, String textColumn, String labelColumn) {
    char separator = file.toString().endsWith(".tsv") ? '\t' : ',';
    Problems problems =
        new Problems(file, "a CSV file (RFC 4180) whose first row names the columns");
    List<Csv.Row> rows = Csv.parse(read(file), separator, problems);
    if (rows.isEmpty()) {
      throw new IllegalArgumentException(
          file + ": the file is empty\nexpected: a row of column names, then examples");
    }
    List<String> header = rows.get(0).fields();
    int text = header.indexOf(textColumn);
    int label = header.indexOf(labelColumn);
    if (text < 0 || label < 0) {
      throw new IllegalArgumentException(
          "%s: columns\nexpected: %s\nfound: %s\nfix: name two of those found"
              .formatted(file, List.of(textColumn, labelColumn), header));
    }
    List<String> texts = new ArrayList<>();
    List<String> labels = new ArrayList<>();
    for (Csv.Row row : rows.subList(1, rows.size())) {
      List<String> fields = row.fields();
      if (fields.size() != header.size()) {
        problems.add(row.line(), "%d fields, not %d".formatted(fields.size(), header.size()));
      } else if (fields.get(label).isBlank()) {
        problems.add(row.line(), "no label in column " + labelColumn);
      } else {
        texts.add(fields.get(text));
        labels.add(fields.get(label).strip());
      }
    }
    problems.throwIfAny("write it with a CSV library, which quotes fields that need it");
    return examples(file, texts, labels);
  }

  static Examples jsonl(Path file, String textKey, String labelKey) {
    Problems problems =
        new Problems(
            file,
            "a JSON object with \"%s\": string and \"%s\": string, number or boolean"
                .formatted(textKey, labelKey));
    List<String> texts = new ArrayList<>();
    List<String> labels = new ArrayList<>();
    int line = 0;
    for (String json : read(file).split("\r?\n")) {
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
      if (!(value instanceof Map<?, ?> object)) {
        problems.add(line, json);
        continue;
      }
      String label = labelName(object.get(labelKey));
      if (object.get(textKey) instanceof String text && label != null) {
        texts.add(text);
        labels.add(label);
      } else {
        String key = label == null ? labelKey : textKey;
        problems.add(line, found(object, key));
      }
    }
    problems.throwIfAny("name the keys that the file has, or correct these lines");
    return examples(file, texts, labels);
  }

  private static String found(Map<?, ?> object, String key) {
    return object.containsKey(key)
        ? "\"%s\": %s".formatted(key, object.get(key))
        : "no \"%s\" among %s".formatted(key, object.keySet());
  }

  private static @Nullable String labelName(@Nullable Object value) {
    if (value instanceof Double d) {
      return new BigDecimal(d.toString()).stripTrailingZeros().toPlainString(); // 1.0 is 1
    }
    if (value instanceof String s) {
      return s.isBlank() ? null : s.strip();
    }
    return value instanceof Number || value instanceof Boolean ? value.toString() : null;
  }

  private static Examples examples(Path file, List<String> texts, List<String> labels) {
    if (texts.isEmpty()) {
      throw new IllegalArgumentException(file + ": no examples\nexpected: at least one");
    }
    return Examples.of(texts, labels);
  }

  /** The text of a UTF-8 file, without a byte order mark. */
  static String read(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new IllegalArgumentException(file + ": no such file");
    }
    try {
      if (Files.size(file) > LARGEST) {
        throw new IllegalArgumentException(
            "%s: too large\nexpected: at most %,d bytes\nfound: %,d\nfix: split the file"
                .formatted(file, LARGEST, Files.size(file)));
      }
      String text = Files.readString(file);
      return text.startsWith("\uFEFF") ? text.substring(1) : text;
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException(
          file + ": not text in UTF-8\nfix: convert it, for instance by iconv -t UTF-8", e);
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }
}
