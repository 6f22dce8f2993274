package org.peft4j.reparam;

import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Entries;

/**
 * Settings by module name, as Hugging Face's {@code rank_pattern}: regular expressions that match
 * the whole path or its end at a dot.
 */
final class Patterns {
  /** A null in a configuration file. */
  static final Object NULL = Entries.NULL;

  private Patterns() {}

  /** The value of the first pattern that fits, or null. */
  static <V> @Nullable V find(Map<String, V> patterns, String path) {
    for (Map.Entry<String, V> e : patterns.entrySet()) {
      if (compile(e.getKey()).matcher(path).matches()) {
        return e.getValue();
      }
    }
    return null;
  }

  private static Pattern compile(String key) {
    try {
      return Pattern.compile("(.*\\.)?(" + key + ")");
    } catch (PatternSyntaxException e) {
      throw new IllegalArgumentException(
          "pattern '" + key + "' is not a regular expression: " + e.getDescription(), e);
    }
  }

  static <V> Map<String, V> ordered(Map<String, V> map) {
    map.keySet().forEach(Patterns::compile);
    return Collections.unmodifiableMap(new LinkedHashMap<>(map));
  }

  /** An unmodifiable copy in the same order, its keys being plain names. */
  static <V> Map<String, V> plain(Map<String, V> map) {
    return Collections.unmodifiableMap(new LinkedHashMap<>(map));
  }

  static <V> Map<String, V> plus(Map<String, V> map, String key, V value) {
    Map<String, V> out = new LinkedHashMap<>(map);
    out.put(key, value);
    return out;
  }

  static Shape ones(int n) {
    long[] d = new long[n];
    Arrays.fill(d, 1);
    return new Shape(d);
  }

  /** Whole numbers without a fraction, as Python writes them. */
  static Number tidy(double d) {
    if (d == Math.rint(d) && Math.abs(d) < 1e15) {
      return (long) d;
    }
    return d;
  }
}
