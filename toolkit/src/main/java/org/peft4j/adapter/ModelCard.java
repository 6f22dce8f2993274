package org.peft4j.adapter;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.peft4j.format.AtomicFiles;

/**
 * The README.md beside an adapter: what it is and how it is loaded, with the header that Hugging
 * Face's hub reads. A card that is there stays.
 */
final class ModelCard {
  private ModelCard() {}

  static void write(Path file, Adapter adapter, PeftModel model, AdapterConfig.About about)
      throws IOException {
    if (Files.exists(file)) {
      return;
    }
    StringBuilder s =
        new StringBuilder("---\nlibrary_name: peft\ntags:\n- ")
            .append(adapter.reparam.name())
            .append("\n- peft4j\n");
    if (about.base() != null) {
      s.append("base_model: ").append(about.base()).append('\n');
    }
    s.append("---\n\n# ").append(adapter.reparam.peftType()).append(" adapter\n\n");
    s.append("| | |\n|---|---|\n");
    row(s, "method", adapter.reparam.name() + ", " + adapter.reparam.summary());
    row(s, "base model", about.base() == null ? "not named" : about.base());
    row(s, "sites", String.valueOf(adapter.adapted().size()));
    row(s, "trained parameters", String.format(Locale.ROOT, "%,d", adapter.trainable()));
    if (!adapter.placement.modulesToSave().isEmpty()) {
      row(s, "modules trained as a whole", String.join(", ", adapter.placement.modulesToSave()));
    }
    s.append("\nMade with peft4j. Load it onto its base model:\n\n```java\n");
    s.append("var tuned = Peft.load(model, Path.of(\"this-directory\"));\n```\n");
    AtomicFiles.writeString(file, s);
  }

  private static void row(StringBuilder s, String key, String value) {
    s.append("| ").append(key).append(" | ").append(value).append(" |\n");
  }
}
