package org.peft4j.hub;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;

/**
 * What files take on the disk, and when they were read.
 *
 * @param bytes of regular files; links themselves take nothing
 */
record Disk(long bytes, Instant used) {
  static final Disk NONE = new Disk(0, Instant.EPOCH);

  Disk plus(Disk other) {
    return new Disk(bytes + other.bytes, used.isAfter(other.used) ? used : other.used);
  }

  /** Of one file, or of all below a folder. */
  static Disk of(Path root) throws IOException {
    Disk sum = NONE;
    if (!Files.exists(root, LinkOption.NOFOLLOW_LINKS)) {
      return sum;
    }
    try (Stream<Path> all = Files.walk(root)) {
      for (Path path : (Iterable<Path>) all::iterator) {
        sum = sum.plus(ofOne(path));
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    return sum;
  }

  private static Disk ofOne(Path path) throws IOException {
    try {
      BasicFileAttributes a =
          Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      if (!a.isRegularFile()) {
        return NONE;
      }
      Instant read = a.lastAccessTime().toInstant();
      Instant written = a.lastModifiedTime().toInstant();
      return new Disk(a.size(), read.isAfter(written) ? read : written);
    } catch (NoSuchFileException e) {
      return NONE; // gone in the meantime
    }
  }

  /** The folder that something lies in. */
  static Path parent(Path path) {
    Path parent = path.getParent();
    if (parent == null) {
      throw new IllegalArgumentException(path + ": expected something in a folder");
    }
    return parent;
  }

  /** What is in a folder; nothing where there is none. */
  static List<Path> children(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> all = Files.list(folder)) {
      return all.sorted().toList();
    }
  }
}
