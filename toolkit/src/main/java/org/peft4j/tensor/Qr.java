package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;

/**
 * Reduced QR decomposition, {@code A = Q R} with A {@code [m, n]}, Q {@code [m, k]} of orthonormal
 * columns, R {@code [k, n]} upper triangular, k = min(m, n). Signs are LAPACK's (Householder), as
 * PyTorch and NumPy give them.
 */
public record Qr(NDArray q, NDArray r) {
  static final String SCRIPT =
      """
        def qr(self: __torch__.Ops,
          a: Tensor) -> Tuple[Tensor, Tensor]:
          q, r = torch.linalg_qr(a)
          return (q, r)
      """;

  /** Decomposes {@code a}, a matrix of float32 or float64. */
  public static Qr of(NDArray a) {
    if (a.getShape().dimension() != 2) {
      throw new IllegalArgumentException(
          "the QR decomposition is of a matrix, not of an array of shape " + a.getShape());
    }
    if (!TorchScript.runs(a)) {
      return plain(a);
    }
    NDList r = TorchScript.call("qr", a);
    return new Qr(r.get(0), r.get(1));
  }

  /**
   * The same by Householder reflections in double precision: the definition that tests compare
   * with.
   */
  static Qr plain(NDArray a) {
    int m = (int) a.getShape().get(0);
    int n = (int) a.getShape().get(1);
    int k = Math.min(m, n);
    double[] r = a.toType(DataType.FLOAT64, true).toDoubleArray();
    double[][] reflectors = new double[k][];
    for (int j = 0; j < k; j++) {
      double[] v = new double[m];
      double norm = 0;
      for (int i = j; i < m; i++) {
        v[i] = r[i * n + j];
        norm += v[i] * v[i];
      }
      norm = Math.sqrt(norm);
      double below = norm * norm - v[j] * v[j];
      if (below > 0 || m == 1) {
        v[j] += v[j] >= 0 ? norm : -norm;
      }
      double length = 0;
      for (double x : v) {
        length += x * x;
      }
      reflectors[j] = below > 0 && length > 0 ? v : new double[m];
      reflect(r, n, reflectors[j], length);
    }
    double[] q = new double[m * k];
    for (int j = 0; j < k; j++) {
      q[j * k + j] = 1;
    }
    for (int j = k - 1; j >= 0; j--) {
      double length = 0;
      for (double x : reflectors[j]) {
        length += x * x;
      }
      reflect(q, k, reflectors[j], length);
    }
    double[] upper = new double[k * n];
    for (int i = 0; i < k; i++) {
      for (int j = i; j < n; j++) {
        upper[i * n + j] = r[i * n + j];
      }
    }
    DataType type = a.getDataType();
    return new Qr(
        Buffers.create(a.getManager(), q, new Shape(m, k)).toType(type, false),
        Buffers.create(a.getManager(), upper, new Shape(k, n)).toType(type, false));
  }

  /** Every column of {@code x}, {@code [v.length, columns]}, minus twice its part along v. */
  private static void reflect(double[] x, int columns, double[] v, double length) {
    if (length == 0) {
      return;
    }
    for (int c = 0; c < columns; c++) {
      double dot = 0;
      for (int i = 0; i < v.length; i++) {
        dot += v[i] * x[i * columns + c];
      }
      double f = 2 * dot / length;
      for (int i = 0; i < v.length; i++) {
        x[i * columns + c] -= f * v[i];
      }
    }
  }
}
