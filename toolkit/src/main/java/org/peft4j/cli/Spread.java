package org.peft4j.cli;

import java.util.List;
import java.util.Locale;

/** Several measurements of one figure. */
record Spread(List<Double> values) {
  Spread {
    values = List.copyOf(values);
  }

  double mean() {
    return values.stream().mapToDouble(d -> d).average().orElse(Double.NaN);
  }

  /** Standard deviation of one measurement; NaN for fewer than two. */
  double deviation() {
    double mean = mean();
    double squares = values.stream().mapToDouble(d -> (d - mean) * (d - mean)).sum();
    return values.size() < 2 ? Double.NaN : Math.sqrt(squares / (values.size() - 1));
  }

  /** Standard error of the mean. */
  double error() {
    return deviation() / Math.sqrt(values.size());
  }

  /** By how many of their common standard errors this mean lies above that of {@code other}. */
  double errorsAbove(Spread other) {
    return (mean() - other.mean()) / Math.hypot(error(), other.error());
  }

  /** {@code 85.3 +- 0.7 %}; without a spread for a single measurement. */
  String percent() {
    return values.size() == 1
        ? String.format(Locale.ROOT, "%.1f %%", 100 * mean())
        : String.format(Locale.ROOT, "%.1f +- %.1f %%", 100 * mean(), 100 * deviation());
  }
}
