package org.peft4j.cli;

import java.util.Arrays;

/** The middle one of several measurements, the higher of two. */
final class Median {
  private Median() {}

  static double of(double[] x) {
    double[] sorted = x.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
