package org.peft4j.train;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Figures of an evaluation by name, the first being the one that counts ({@code accuracy} for
 * classification).
 *
 * @param rows number of rows evaluated
 * @param higherIsBetter whether the first figure is better when it is higher
 */
public record Metrics(Map<String, Double> values, int rows, boolean higherIsBetter) {
  public Metrics {
    values = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(values));
  }

  /** The figure of that name. */
  public double get(String name) {
    Double v = values.get(name);
    if (v == null) {
      throw new IllegalArgumentException("no figure '" + name + "'; there are " + values.keySet());
    }
    return v;
  }

  /** Name of the figure that counts. */
  public String mainName() {
    return values.keySet().iterator().next();
  }

  /** The figure that counts. */
  public double main() {
    return values.values().iterator().next();
  }

  /** Whether this is better than {@code other} in the figure that counts. */
  public boolean betterThan(Metrics other) {
    return higherIsBetter ? main() > other.main() : main() < other.main();
  }

  @Override
  public String toString() {
    return values.entrySet().stream()
            .map(e -> String.format(Locale.ROOT, "%s %.4f", e.getKey(), e.getValue()))
            .collect(Collectors.joining(", "))
        + String.format(Locale.ROOT, " on %,d rows", rows);
  }
}
