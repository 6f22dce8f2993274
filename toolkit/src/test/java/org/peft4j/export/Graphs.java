package org.peft4j.export;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Where tests write their graphs: {@code -Dpeft4j.graphs=DIR} keeps them, to be checked by others.
 */
final class Graphs {
  private Graphs() {}

  /**
   * A folder for graphs.
   *
   * @param otherwise where nobody wants to keep them
   */
  static Path folder(Path otherwise, String name) throws IOException {
    String kept = System.getProperty("peft4j.graphs");
    return Files.createDirectories((kept == null ? otherwise : Path.of(kept)).resolve(name));
  }
}
