package org.peft4j.train;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

/**
 * What was said of each class and what it is: accuracy, and macro F1, the mean over classes of
 * {@code 2 hits / (said + is)}, classes that neither occur nor are said left out.
 */
final class Confusion {
  private final Map<Integer, long[]> counts = new TreeMap<>(); // hits, said, is
  private int rows;
  private int correct;

  void add(int predicted, int expected) {
    rows++;
    of(predicted)[1]++;
    of(expected)[2]++;
    if (predicted == expected) {
      correct++;
      of(expected)[0]++;
    }
  }

  private long[] of(int label) {
    return counts.computeIfAbsent(label, l -> new long[3]);
  }

  double accuracy() {
    return (double) correct / rows;
  }

  double macroF1() {
    return counts.values().stream()
        .mapToDouble(c -> 2.0 * c[0] / (c[1] + c[2]))
        .average()
        .orElse(Double.NaN);
  }

  /** Accuracy and F1, in this order. */
  Map<String, Double> values() {
    Map<String, Double> values = new LinkedHashMap<>();
    values.put("accuracy", accuracy());
    values.put("f1", macroF1());
    return values;
  }
}
