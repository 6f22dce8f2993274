package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import org.jspecify.annotations.Nullable;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Svd;

/**
 * First and second moments of many rows x {@code [in]}, summed in double precision: all that is
 * kept of the rows. They take {@code 16 in^2} bytes.
 */
public final class Moments {
  private final NDManager owner;
  private final NDArray sum;
  private final NDArray squares;
  private final NDArray scaled;
  private long rows;
  private long texts;
  private @Nullable Principal principal;

  /**
   * Of no rows yet.
   *
   * @param owner gets the sums
   */
  public Moments(NDManager owner, long in) {
    this.owner = owner;
    sum = Scope.giveTo(owner, owner.zeros(new Shape(in), DataType.FLOAT64));
    squares = Scope.giveTo(owner, owner.zeros(new Shape(in, in), DataType.FLOAT64));
    scaled = Scope.giveTo(owner, owner.zeros(new Shape(in, in), DataType.FLOAT64));
  }

  /** Adds the rows {@code [n, in]} of one text. */
  public void add(NDArray text) {
    try (Scope scope = Scope.open()) {
      NDArray x = text.toType(DataType.FLOAT64, false);
      double top = Math.abs(x.max().getDouble());
      NDArray square = x.transpose().matMul(x);
      if (!Double.isFinite(square.sum().getDouble())) {
        throw new IllegalArgumentException(
            "calibration\nexpected: finite inputs\nfound: others\nfix: look at the data");
      }
      sum.addi(x.sum(new int[] {0}));
      squares.addi(square);
      scaled.addi(top > 0 ? Scalars.div(square, top * top) : square);
      rows += x.getShape().get(0);
      texts++;
      principal = null;
    }
  }

  /** Number of rows. */
  public long rows() {
    return rows;
  }

  /** Width of a row. */
  public long in() {
    return sum.getShape().get(0);
  }

  /**
   * The mean over texts of {@code X^T X / max(X)^2}, float64 {@code [in, in]}: no text outweighs
   * the others. The caller frees it.
   */
  public NDArray perText() {
    return Scalars.div(scaled, texts);
  }

  /**
   * Principal components of the rows around their mean, most varied first.
   *
   * @param directions their directions, float64 {@code [in, in]}, a unit vector in every row, whose
   *     entry of greatest size is positive
   * @param ratios what part of all variance each explains, float64 {@code [in]}
   */
  public record Principal(NDArray directions, NDArray ratios) {}

  /** The principal components, made once. */
  public Principal principal() {
    if (principal == null) {
      try (Scope scope = Scope.open()) {
        NDArray column = Scalars.div(sum.reshape(in(), 1), rows);
        NDArray scatter = squares.sub(Scalars.mul(column.matMul(column.transpose()), rows));
        Svd svd = Svd.of(scatter);
        NDArray ratios = svd.s().div(svd.s().sum());
        principal =
            new Principal(positive(svd.vh()), Scope.giveTo(owner, Buffers.copyOf(owner, ratios)));
      }
    }
    return principal;
  }

  /** Rows with the sign that makes their greatest entry positive: any sign is right. */
  private NDArray positive(NDArray vectors) {
    double[] v = vectors.toDoubleArray();
    int n = (int) in();
    for (int row = 0; row < n; row++) {
      int most = row * n;
      for (int i = row * n; i < (row + 1) * n; i++) {
        most = Math.abs(v[i]) > Math.abs(v[most]) ? i : most;
      }
      if (v[most] < 0) {
        for (int i = row * n; i < (row + 1) * n; i++) {
          v[i] = -v[i];
        }
      }
    }
    return Scope.giveTo(owner, Buffers.create(owner, v, new Shape(n, n)));
  }
}
