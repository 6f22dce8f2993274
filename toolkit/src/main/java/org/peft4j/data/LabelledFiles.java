package org.peft4j.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reads texts and labels from files of records. */
final class LabelledFiles {
  private static final long LARGEST = 512L << 20;

  private LabelledFiles() {}

  static Examples csv(Path file, String textColumn, String labelColumn) {
    Problems problems = new Problems(file, Csv.EXPECTED);
    List<String> texts = new ArrayList<>();
    List<String> labels = new ArrayList<>();
    for (Csv.Row row : Csv.columns(file, problems, textColumn, labelColumn)) {
      String label = row.fields().get(1).strip();
      if (label.isEmpty()) {
        problems.add(row.line(), "no label in column " + labelColumn);
      } else {
        texts.add(row.fields().get(0));
        labels.add(label);
      }
    }
    problems.throwIfAny(Csv.FIX);
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
    JsonLines.each(
        file,
        problems,
        (object, line) -> {
          String label = labelName(object.get(labelKey));
          if (object.get(textKey) instanceof String text && label != null) {
            texts.add(text);
            labels.add(label);
          } else {
            problems.add(line, JsonLines.found(object, label == null ? labelKey : textKey));
          }
        });
    problems.throwIfAny("name the keys that the file has, or correct these lines");
    return examples(file, texts, labels);
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
