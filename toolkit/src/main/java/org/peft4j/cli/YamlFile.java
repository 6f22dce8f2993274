package org.peft4j.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/** YAML 1.2, in which 1e-3 is a number and no is a word. */
final class YamlFile {
  private YamlFile() {}

  static Section read(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new IllegalArgumentException(file + ": no such file");
    }
    try {
      LoadSettings settings =
          LoadSettings.builder().setLabel(file.toString()).setAllowDuplicateKeys(false).build();
      @Nullable Object document = new Load(settings).loadFromString(Files.readString(file));
      return Section.of(file.toString(), document);
    } catch (YamlEngineException e) {
      throw new IllegalArgumentException(
          file + ": not YAML\nfound: " + String.valueOf(e.getMessage()).strip(), e);
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }
}
