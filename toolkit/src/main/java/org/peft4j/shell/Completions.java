package org.peft4j.shell;

import java.util.List;

/**
 * What may stand at a place of the code.
 *
 * @param texts to choose from, those of the expected type first
 * @param from where the text that one of them replaces begins
 * @param to where it ends
 */
public record Completions(List<String> texts, int from, int to) {

  public Completions {
    texts = List.copyOf(texts);
  }
}
