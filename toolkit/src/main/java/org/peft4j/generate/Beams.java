package org.peft4j.generate;

/**
 * How many continuations of a text are kept beside each other, and which is the best in the end:
 * the one with the highest sum of log-probabilities divided by {@code length^lengthPenalty}.
 *
 * @param number of continuations; 1 searches nothing
 * @param lengthPenalty above 0 favours long texts, below 0 short ones
 * @param early whether a text is done as soon as that many continuations have ended; else when no
 *     open one can become better
 */
record Beams(int number, double lengthPenalty, boolean early) {
  static final Beams ONE = new Beams(1, 1, false);

  Beams {
    if (number < 1) {
      throw new IllegalArgumentException("beams: expected at least 1, found " + number);
    }
    if (!Double.isFinite(lengthPenalty)) {
      throw new IllegalArgumentException(
          "lengthPenalty: expected a finite number, found " + lengthPenalty);
    }
  }

  /** A sum of log-probabilities of that many tokens as continuations are compared by. */
  float weighed(float sum, int tokens) {
    return sum / (float) Math.pow(tokens, lengthPenalty);
  }
}
