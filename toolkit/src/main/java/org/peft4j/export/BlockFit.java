package org.peft4j.export;

/**
 * The scale s and whole zero point z of a block of values w that lose least in squares: smallest
 * sum of (w - (code - z) s)^2. A range that is a little too small cuts the few largest values, so
 * that the many others lie on a finer grid; so ranges are tried from the whole one down, each with
 * the two zero points next to its middle, and for the codes of each the best scale is known: with u
 * = code - z it is (w u) / (u u).
 */
final class BlockFit {
  private static final float SMALLEST = 0.7f;
  private static final float STEP = 0.04f;

  /** Makes numbers positive before they are cut to whole ones. */
  private static final int SHIFT = 1024;

  private final int largest;
  private final int middle;
  private final boolean zeroPoints;
  private double best;
  private float scale;
  private int zero;

  BlockFit(BlockCode code) {
    largest = code.largest();
    middle = code.middle();
    zeroPoints = code.zeroPoints();
  }

  float scale() {
    return scale;
  }

  int zero() {
    return zero;
  }

  /**
   * Fits the values {@code row[from]} to {@code row[to - 1]}.
   *
   * @param low smallest, at most 0
   * @param high largest, at least 0
   */
  void fit(float[] row, int from, int to, float low, float high) {
    best = 0;
    scale = 0;
    zero = middle;
    float widest =
        zeroPoints ? (high - low) / largest : Math.max(high / (largest - middle), -low / middle);
    if (widest == 0) {
      return;
    }
    for (float part = 1; part >= SMALLEST; part -= STEP) {
      float s = widest * part;
      if (zeroPoints) {
        float z = (largest - (low + high) / s) / 2;
        tryOut(row, from, to, s, (int) Math.floor(z));
        tryOut(row, from, to, s, (int) Math.ceil(z));
      } else {
        tryOut(row, from, to, s, middle);
        tryOut(row, from, to, -s, middle);
      }
    }
    tryOut(row, from, to, scale, zero); // the better scale may change a code
  }

  private void tryOut(float[] row, int from, int to, float s, int wish) {
    int z = Math.max(0, Math.min(largest, wish));
    float reciprocal = 1 / s;
    float shifted = z + 0.5f + SHIFT;
    double wu = 0;
    double uu = 0;
    for (int i = from; i < to; i++) {
      int code = (int) (row[i] * reciprocal + shifted) - SHIFT;
      int u = Math.max(0, Math.min(largest, code)) - z;
      wu += row[i] * u;
      uu += u * u;
    }
    double gained = uu == 0 ? 0 : wu * wu / uu; // what is left is the block's own square less this
    if (gained > best) {
      best = gained;
      scale = (float) (wu / uu);
      zero = z;
    }
  }
}
