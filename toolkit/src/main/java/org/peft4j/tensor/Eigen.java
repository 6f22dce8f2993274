package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;

/**
 * Eigenvalues {@code [n]}, ascending, and eigenvectors {@code [n, n]}, the columns, of a symmetric
 * positive definite matrix. Eigenvectors are determined up to the sign.
 */
public record Eigen(NDArray values, NDArray vectors) {
  static final String SCRIPT =
      """
        def eigen(self: __torch__.Ops,
          a: Tensor) -> Tuple[Tensor, Tensor]:
          values, vectors = torch.linalg_eigh(a)
          return (values, vectors)
      """;

  /** Decomposes {@code a}, of float32 or float64. */
  public static Eigen of(NDArray a) {
    if (!TorchScript.runs(a)) {
      return plain(a);
    }
    NDList r = TorchScript.call("eigen", a);
    return new Eigen(r.get(0), r.get(1));
  }

  /** The same by singular values: the definition that tests compare with. */
  static Eigen plain(NDArray a) {
    Svd svd = Svd.plain(a);
    return new Eigen(svd.s().flip(0), svd.u().flip(1));
  }
}
