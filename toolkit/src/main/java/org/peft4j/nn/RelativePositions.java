package org.peft4j.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDManager;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Pass;
import org.peft4j.tensor.Buffers;

/**
 * Attention biases by the distance of key and query (Raffel et al., arXiv 1910.10683): {@code
 * bias[h, i, j] = W[bucket(j - i), h]}, W {@code [buckets, heads]}. Near distances have a bucket
 * each, far ones share buckets that widen like the logarithm, and all from {@code farthest} on are
 * one. Where both directions are seen, each has half of the buckets.
 */
public final class RelativePositions {
  private final Embedding biases;
  private final int farthest;
  private final long[] buckets;

  /**
   * Biases of an attention.
   *
   * @param biases the table W
   * @param buckets number of its rows
   * @param farthest the distance from which on all are one
   * @param bothWays whether keys behind a query are seen
   */
  public RelativePositions(Embedding biases, int buckets, int farthest, boolean bothWays) {
    this.biases = biases;
    this.farthest = farthest;
    this.buckets = buckets(buckets, farthest, bothWays);
  }

  /** The bucket of every distance from {@code -farthest} to {@code farthest}. */
  static long[] buckets(int n, int farthest, boolean bothWays) {
    int side = bothWays ? n / 2 : n;
    int exact = side / 2;
    if (exact < 1 || farthest <= exact) {
      throw new IllegalArgumentException(
          "relative positions\nexpected: at least "
              + (bothWays ? 4 : 2)
              + " buckets, and a farthest distance above "
              + exact
              + "\nfound: "
              + n
              + " buckets, farthest distance "
              + farthest);
    }
    long[] out = new long[2 * farthest + 1];
    for (int distance = -farthest; distance <= farthest; distance++) {
      boolean behind = distance > 0;
      int away = behind && !bothWays ? 0 : Math.abs(distance);
      long bucket = away < exact ? away : Math.min(side - 1, far(away, side, exact, farthest));
      out[distance + farthest] = bucket + (behind && bothWays ? side : 0);
    }
    return out;
  }

  /** In float32, step by step as the reference: its rounding decides at the edges of buckets. */
  private static long far(int away, int side, int exact, int farthest) {
    float part = (float) Math.log((float) away / exact);
    float whole = (float) Math.log((double) farthest / exact);
    return exact + (long) (part / whole * (side - exact));
  }

  /** {@code [1, heads, length, keys]}: what the rows of a sequence add to their scores. */
  public NDArray bias(Pass pass, Sequence sequence) {
    NDArray distances = sequence.distances();
    NDArray all = biases.apply(pass, table(distances.getManager()));
    NDArray chosen =
        Operation.EMBEDDING.apply(distances.clip(-farthest, farthest).add(farthest), all, null);
    return chosen.transpose(2, 0, 1).expandDims(0);
  }

  private NDArray table(NDManager manager) {
    return manager instanceof PtNDManager
        ? Buffers.create(manager, buckets, new Shape(buckets.length))
        : manager.create(buckets);
  }
}
