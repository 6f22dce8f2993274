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

  /** A finite number above 0. */
  public static void positive(String name, double value) {
    if (!(value > 0 && Double.isFinite(value))) {
      throw new IllegalArgumentException(name + "\nexpected: above 0\nfound: " + value);
    }
  }

  /** A finite number of at least 0. */
  public static void notNegative(String name, double value) {
    if (!(value >= 0 && Double.isFinite(value))) {
      throw new IllegalArgumentException(name + "\nexpected: at least 0\nfound: " + value);
    }
  }

  public static void probability(String name, double p) {
    if (!(p >= 0 && p < 1)) {
      throw new IllegalArgumentException(name + ": expected a probability in [0, 1), found " + p);
    }
  }

  /** Of two sizes that say the same, exactly one is given; the other is 0. */
  public static void either(String name, int size, String otherName, int other) {
    if (size < 0 || other < 0 || (size == 0) == (other == 0)) {
      throw new IllegalArgumentException(
          name
              + ", "
              + otherName
              + "\nexpected: one of them, and 0 for the other\nfound: "
              + size
              + " and "
              + other);
    }
  }

  /** A count or size of at least {@code least}. */
  public static void atLeast(String name, long least, long value) {
    if (value < least) {
      throw new IllegalArgumentException(
          name + ": expected an integer of at least " + least + ", found " + value);
    }
  }

  /** A count of no more than there are. */
  public static void atMost(String name, String where, long there, long value) {
    if (value > there) {
      throw new IllegalArgumentException(
          name
              + ": expected at most what there are in "
              + where
              + " ("
              + there
              + "), found "
              + value
              + "\nfix: take fewer, or leave this layer out");
    }
  }

  /** A size that divides what it is to cut into equal parts. */
  public static void divides(String name, long size, String what, long whole) {
    if (whole % size != 0) {
      long nearest = size;
      while (nearest > 1 && whole % nearest != 0) {
        nearest--;
      }
      throw new IllegalArgumentException(
          name
              + ": expected a divisor of "
              + what
              + " ("
              + whole
              + "), found "
              + size
              + "\nfix: take "
              + nearest
              + ", or leave this layer out");
    }
  }
}
