package org.peft4j;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.AtomicFiles;
import org.peft4j.format.Json;
import org.peft4j.model.Pooling;
import org.peft4j.model.Pretrained;

/**
 * {@code peft4j.json} beside an adapter: the labels and the pooling of a head that the base model
 * did not come with, for which Hugging Face's files have no place. With it, the adapter loads onto
 * the bare base.
 */
final class SavedHead {
  private static final String FILE = "peft4j.json";

  private SavedHead() {}

  static void write(Path dir, Pretrained model) {
    Pooling pooling = model.pooling();
    if (model.newModules().isEmpty() || pooling == null) {
      return;
    }
    Map<String, @Nullable Object> entries = new LinkedHashMap<>();
    entries.put("labels", model.labels());
    entries.put("pooling", pooling.toString());
    try {
      AtomicFiles.writeString(dir.resolve(FILE), Json.format(entries) + "\n");
    } catch (IOException e) {
      throw new UncheckedIOException(
          dir.resolve(FILE) + ": cannot be written: " + e.getMessage(), e);
    }
  }

  /**
   * The model with the head that the adapter in {@code dir} was trained with, if it does not
   * classify already and the adapter says which.
   */
  static Pretrained restore(Pretrained model, Path dir) {
    Path file = dir.resolve(FILE);
    if (!model.labels().isEmpty() || !Files.exists(file)) {
      return model;
    }
    try {
      Map<String, @Nullable Object> entries = Json.read(file);
      if (entries.get("labels") instanceof List<?> labels
          && entries.get("pooling") instanceof String pooling) {
        return model.classify(
            labels.stream().map(String::valueOf).toList(),
            Pooling.valueOf(pooling.toUpperCase(Locale.ROOT)),
            0);
      }
      throw new IllegalArgumentException(
          file + "\nexpected: labels and pooling\nfound: " + entries.keySet());
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }
}
