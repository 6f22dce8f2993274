package org.peft4j.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import org.peft4j.format.MavenArtifact;

/**
 * Data sets that come with the toolkit; {@link Examples} and {@link Conversations} read your own.
 */
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

  /**
   * A made-up task for language models: a sentence such as "Ada bought 7 cups in Riga." and the
   * same as one line of JSON, {@code {"who":"Ada","what":"cups","count":7,"where":"Riga"}}. No two
   * rows are alike; the same seed gives the same rows on every machine.
   *
   * @param n rows, up to 141,600
   */
  public static Conversations sentencesToJson(int n, long seed) {
    return Sentences.rows(n, seed);
  }
}
