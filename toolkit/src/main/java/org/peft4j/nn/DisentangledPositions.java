package org.peft4j.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDManager;
import org.peft4j.spi.Operation;
import org.peft4j.tensor.Buffers;

/**
 * Rows of a table of relative positions {@code [2 span, ...]} by the distance i - j of query i and
 * key j (He et al., arXiv 2006.03654): row {@code span + bucket(i - j)}, within the table.
 * Distances up to half of the buckets have one each, farther ones share buckets that widen like the
 * logarithm; without buckets each distance has its own.
 */
public final class DisentangledPositions {
  private final int span;
  private final int farthest;
  private final long[] rows;

  /**
   * Rows of a table.
   *
   * @param buckets number of buckets in each direction; 0 for none
   * @param farthest distance that is told apart from those before it
   */
  public DisentangledPositions(int buckets, int farthest) {
    if (farthest < 1 || (buckets != 0 && (buckets < 2 || farthest <= buckets / 2 + 1))) {
      throw new IllegalArgumentException(
          "relative positions\nexpected: no buckets, or at least 2 and a farthest distance above "
              + (buckets / 2 + 1)
              + "\nfound: "
              + buckets
              + " buckets, farthest distance "
              + farthest);
    }
    span = buckets > 0 ? buckets : farthest;
    int away = 1;
    while (bucket(away, buckets, farthest) < span) {
      away++; // all from there on are in the last row
    }
    this.farthest = away;
    rows = new long[2 * away + 1];
    for (int distance = -away; distance <= away; distance++) {
      long bucket = Integer.signum(distance) * bucket(Math.abs(distance), buckets, farthest);
      rows[distance + away] = Math.min(Math.max(span + bucket, 0), 2L * span - 1);
    }
  }

  /** In float32, step by step as the reference: its rounding decides at the edges of buckets. */
  private static long bucket(int away, int buckets, int farthest) {
    int near = buckets / 2;
    if (buckets == 0 || away <= near) {
      return away;
    }
    float part = (float) Math.log((float) away / near);
    float whole = (float) Math.log((float) ((farthest - 1.0) / near));
    return (long) Math.ceil(part / whole * (near - 1)) + near;
  }

  /** Number of rows that the table has. */
  public int size() {
    return 2 * span;
  }

  /** The row of a distance i - j. */
  long row(int distance) {
    return rows[Math.min(Math.max(distance, -farthest), farthest) + farthest];
  }

  /**
   * Rows for the tokens of a sequence, int64 {@code [queries, keys]}; keys in front are left out.
   */
  public NDArray of(Sequence sequence) {
    NDArray ahead = sequence.distances();
    long front = sequence.keys() - sequence.length();
    NDArray own = front == 0 ? ahead : ahead.get(":, {}:", front);
    NDArray place = own.neg().clip(-farthest, farthest).add(farthest);
    NDArray table = table(place.getManager()).reshape(-1, 1);
    return Operation.EMBEDDING.apply(place, table, null).squeeze(2);
  }

  private NDArray table(NDManager manager) {
    return manager instanceof PtNDManager
        ? Buffers.create(manager, rows, new Shape(rows.length))
        : manager.create(rows);
  }
}
