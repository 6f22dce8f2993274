package org.peft4j.format;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Files that another file names: they may lie in its folder or below, nowhere else. Links in that
 * folder are the user's own and are followed (Hugging Face's cache is made of them).
 */
final class Siblings {
  private Siblings() {}

  /** The file that {@code index} means by {@code name}, or null when that would lie elsewhere. */
  static @Nullable Path resolve(Path index, @Nullable Object name) {
    if (!(name instanceof String s) || s.isEmpty() || s.contains("\\") || s.contains(":")) {
      return null;
    }
    try {
      Path folder = index.toAbsolutePath().normalize().getParent();
      if (folder == null) {
        return null;
      }
      Path file = folder.resolve(s).normalize();
      boolean inside = file.startsWith(folder) && !file.equals(folder);
      return inside && !Path.of(s).isAbsolute() ? file : null;
    } catch (InvalidPathException e) {
      return null;
    }
  }
}
