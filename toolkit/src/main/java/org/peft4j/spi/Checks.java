package org.peft4j.spi;

/** What every configuration record asks of its numbers. */
public final class Checks {
  private Checks() {}

  public static void rank(int rank) {
    if (rank < 1) {
      throw new IllegalArgumentException("rank: expected an integer of at least 1, found " + rank);
    }
  }

  public static void finite(String name, double value) {
    if (!Double.isFinite(value)) {
      throw new IllegalArgumentException(name + ": expected a finite number, found " + value);
    }
  }

  public static void probability(String name, double p) {
    if (!(p >= 0 && p < 1)) {
      throw new IllegalArgumentException(name + ": expected a probability in [0, 1), found " + p);
    }
  }
}
