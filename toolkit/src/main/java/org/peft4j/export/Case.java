package org.peft4j.export;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One run that a graph is held against the model with.
 *
 * @param name what is special about it; empty if nothing
 * @param sizes of all named dimensions
 * @param left whether padding stands in front of texts instead of behind them
 */
record Case(String name, Map<String, Long> sizes, boolean left) {
  /** A case of sizes such as {@code "batch_size", 1, "sequence_length", 7}. */
  static Case of(String name, boolean left, Object... sizes) {
    Map<String, Long> map = new LinkedHashMap<>();
    for (int i = 0; i < sizes.length; i += 2) {
      map.put((String) sizes[i], ((Number) sizes[i + 1]).longValue());
    }
    return new Case(name, map, left);
  }
}
