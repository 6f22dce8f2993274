package org.peft4j.hub;

import java.nio.file.Path;
import java.time.Instant;
import java.util.Locale;

/**
 * Something that lies in a cache and can go: it comes again when it is wanted.
 *
 * @param name what it is called by, unique in its group
 * @param note a few words on it, such as a revision's branches
 * @param bytes that it takes on the disk, and gives back
 * @param used when it was read last, as far as the file system tells
 */
public record CacheEntry(
    Group group, String name, String note, Path path, long bytes, Instant used) {
  /** Where it comes from. */
  public enum Group {
    /** A revision of a repository of the Hugging Face hub, shared with Python. */
    HUB,
    /** What was taken from a jar of Maven Central: weights, word lists. */
    MAVEN,
    /** Unpacked native libraries, of PyTorch and of the tokenizers. */
    NATIVES,
    /** A download of the hub that broke off, and goes on from there. */
    INCOMPLETE,
    /** What killed processes left of ONNX Runtime's native libraries. */
    TEMPORARY;

    /** In lower case. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }
}
