package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * Thin singular value decomposition, {@code A = U diag(S) Vh} with A {@code [m, n]}, U {@code [m,
 * k]}, S {@code [k]} descending, Vh {@code [k, n]}, k = min(m, n). Singular vectors are determined
 * up to a common sign.
 */
public record Svd(NDArray u, NDArray s, NDArray vh) {
  static final String SCRIPT =
      """
        def svd(self: __torch__.Ops,
          a: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
          u, s, vh = torch.linalg_svd(a, False)
          return (u, s, vh)
      """;

  /** Decomposes {@code a}, a matrix of float32 or float64, on the CPU by LAPACK. */
  public static Svd of(NDArray a) {
    if (a.getShape().dimension() != 2) {
      throw new IllegalArgumentException(
          "the SVD is of a matrix, not of an array of shape " + a.getShape());
    }
    if (!TorchScript.runs(a)) {
      return plain(a);
    }
    NDList r = TorchScript.call("svd", a);
    return new Svd(r.get(0), r.get(1), r.get(2));
  }

  /**
   * Decomposes {@code a} in double precision and rounds: directions that lie close together turn by
   * the rounding of the decomposition, which differs between processors.
   */
  public static Svd precise(NDArray a) {
    if (a.getDataType() == DataType.FLOAT64) {
      return of(a);
    }
    Svd svd = of(a.toType(DataType.FLOAT64, false));
    DataType type = a.getDataType();
    return new Svd(
        svd.u.toType(type, false), svd.s.toType(type, false), svd.vh.toType(type, false));
  }

  /**
   * The same by one-sided Jacobi rotations in double precision: the definition that tests compare
   * with.
   */
  static Svd plain(NDArray a) {
    int m = (int) a.getShape().get(0);
    int n = (int) a.getShape().get(1);
    if (m < n) {
      Svd t = plain(a.transpose());
      return new Svd(t.vh.transpose(), t.s, t.u.transpose());
    }
    double[] flat = a.toType(DataType.FLOAT64, false).toDoubleArray();
    double[][] u = new double[n][m]; // columns of A
    double[][] v = new double[n][n]; // columns of V
    for (int j = 0; j < n; j++) {
      v[j][j] = 1;
      for (int i = 0; i < m; i++) {
        u[j][i] = flat[i * n + j];
      }
    }
    boolean rotated = true;
    for (int sweep = 0; rotated && sweep < 60; sweep++) {
      rotated = false;
      for (int p = 0; p < n; p++) {
        for (int q = p + 1; q < n; q++) {
          rotated |= rotate(u[p], u[q], v[p], v[q]);
        }
      }
    }
    double[] sigma = new double[n];
    for (int j = 0; j < n; j++) {
      sigma[j] = Math.sqrt(dot(u[j], u[j]));
    }
    int[] order =
        IntStream.range(0, n)
            .boxed()
            .sorted(Comparator.comparingDouble((Integer j) -> -sigma[j]))
            .mapToInt(j -> j)
            .toArray();
    double[] uOut = new double[m * n];
    double[] vOut = new double[n * n];
    for (int k = 0; k < n; k++) {
      int j = order[k];
      for (int i = 0; i < m; i++) {
        uOut[i * n + k] = sigma[j] == 0 ? 0 : u[j][i] / sigma[j];
      }
      System.arraycopy(v[j], 0, vOut, k * n, n);
    }
    NDManager manager = a.getManager();
    DataType type = a.getDataType();
    double[] s = Arrays.stream(order).mapToDouble(j -> sigma[j]).toArray();
    return new Svd(
        Buffers.create(manager, uOut, new Shape(m, n)).toType(type, false),
        Buffers.create(manager, s, new Shape(n)).toType(type, false),
        Buffers.create(manager, vOut, new Shape(n, n)).toType(type, false));
  }

  private static boolean rotate(double[] up, double[] uq, double[] vp, double[] vq) {
    double alpha = dot(up, up);
    double beta = dot(uq, uq);
    double gamma = dot(up, uq);
    if (Math.abs(gamma) <= 1e-15 * Math.sqrt(alpha * beta)) {
      return false;
    }
    double zeta = (beta - alpha) / (2 * gamma);
    double t = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
    double c = 1 / Math.sqrt(1 + t * t);
    turn(up, uq, c, c * t);
    turn(vp, vq, c, c * t);
    return true;
  }

  private static void turn(double[] p, double[] q, double c, double s) {
    for (int i = 0; i < p.length; i++) {
      double x = p[i];
      p[i] = c * x - s * q[i];
      q[i] = s * x + c * q[i];
    }
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }
}
