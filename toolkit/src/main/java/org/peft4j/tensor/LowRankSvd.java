package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;

/**
 * The largest singular directions of a matrix by random projection (Halko et al., arXiv 0909.4061,
 * algorithm 5.1), as {@code torch.svd_lowrank} finds them after {@code torch.manual_seed}: the
 * subspaces are the same, rounded less, since all is done in double precision.
 */
public final class LowRankSvd {
  private static final int ITERATIONS = 2;

  private LowRankSvd() {}

  /**
   * Decomposes {@code a}, {@code [m, n]}.
   *
   * @param directions how many, at most m and n
   * @param seed of the projection
   * @return float64 U {@code [m, directions]}, S {@code [directions]}, Vh {@code [directions, n]}
   */
  public static Svd of(NDArray a, int directions, long seed) {
    Shape shape = a.getShape();
    if (directions < 1 || directions > Math.min(shape.get(0), shape.get(1))) {
      throw new IllegalArgumentException(
          "directions\nexpected: from 1 to the smaller side of "
              + shape
              + "\nfound: "
              + directions);
    }
    if (shape.get(0) < shape.get(1)) {
      Svd turned = of(a.transpose(), directions, seed);
      return new Svd(turned.vh().transpose(), turned.s(), turned.u().transpose());
    }
    NDArray wide = a.toType(DataType.FLOAT64, false);
    NDArray tall = wide.transpose();
    NDArray random =
        new MersenneTwister(seed)
            .normal(a.getManager(), new Shape(shape.get(1), directions))
            .toType(DataType.FLOAT64, false);
    NDArray q = Qr.of(wide.matMul(random)).q();
    for (int i = 0; i < ITERATIONS; i++) {
      q = Qr.of(wide.matMul(Qr.of(tall.matMul(q)).q())).q();
    }
    Svd inside = Svd.of(q.transpose().matMul(wide));
    return new Svd(q.matMul(inside.u()), inside.s(), inside.vh());
  }
}
