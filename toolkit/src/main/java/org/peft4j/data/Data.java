package org.peft4j.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import org.peft4j.format.MavenArtifact;

/** Data sets that come with the toolkit; {@link Examples} reads your own. */
public final class Data {
  private static final String DATA_NOUN = "net/sf/extjwnl/data/wordnet/wn31/data.noun";

  private Data() {}

  /**
   * Definitions of nouns to sort into 26 supersenses, from WordNet 3.1 on Maven Central: 10 MB on
   * the first call, read from the local copy later.
   *
   * @throws UncheckedIOException when the jar is neither on this machine nor to be had
   */
  public static WordNet wordnet() {
    try {
      Path jar = MavenArtifact.WORDNET.jar();
      try (FileSystem inside = FileSystems.newFileSystem(jar)) {
        return WordNet.read(inside.getPath(DATA_NOUN));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
  }
}
