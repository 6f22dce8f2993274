package org.peft4j.reparam;

/** What every configuration record asks of its numbers. */
final class Checks {
  private Checks() {}

  static void rank(int rank) {
    if (rank < 1) {
      throw new IllegalArgumentException("rank: expected an integer of at least 1, found " + rank);
    }
  }

  static void finite(String name, double value) {
    if (!Double.isFinite(value)) {
      throw new IllegalArgumentException(name + ": expected a finite number, found " + value);
    }
  }

  static void probability(String name, double p) {
    if (!(p >= 0 && p < 1)) {
      throw new IllegalArgumentException(name + ": expected a probability in [0, 1), found " + p);
    }
  }
}
