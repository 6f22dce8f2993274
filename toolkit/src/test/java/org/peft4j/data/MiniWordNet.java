package org.peft4j.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.peft4j.tensor.Seed;

/** A small data.noun, made line by line. */
final class MiniWordNet {
  static final String LICENCE =
      """
        1 This software and database is being provided to you, the LICENSEE, by
        2 Princeton University under the following license | with a bar.
      """
          .indent(2);

  private final List<String> lines = new ArrayList<>();

  /** Adds a synset of a lexicographer file, 3 to 28. */
  MiniWordNet add(int file, String gloss, String... lemmas) {
    StringBuilder line = new StringBuilder();
    line.append("%08d %02d n %02x".formatted(1000 + lines.size(), file, lemmas.length));
    for (String lemma : lemmas) {
      line.append(' ').append(lemma).append(" 0");
    }
    lines.add(line + " 002 @ 00001740 n 0000 + 00694095 v 0101 | " + gloss + "  ");
    return this;
  }

  /** Many synsets in groups of one to three that share a word, and one group of {@code giant}. */
  static MiniWordNet random(int groups, int giant, long seed) {
    MiniWordNet file = new MiniWordNet();
    Seed random = Seed.of(seed);
    for (int g = 0; g < groups; g++) {
      int members = 1 + random.at(g).below(0, 3);
      for (int i = 0; i < members; i++) {
        int label = 3 + random.at(g).below(1 + i, 26);
        file.add(
            label, "definition number g%d of m%d".formatted(g, i), "word" + g, "w" + g + "m" + i);
      }
    }
    for (int i = 0; i < giant; i++) {
      file.add(
          3 + i % 26, "link number %d of a chain".formatted(i), "c" + i + "x", "c" + (i + 1) + "x");
    }
    return file;
  }

  Path write(Path folder) {
    try {
      return Files.writeString(
          folder.resolve("data.noun"), LICENCE + String.join("\n", lines) + "\n");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
