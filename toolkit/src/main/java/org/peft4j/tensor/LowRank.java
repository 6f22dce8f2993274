package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;

/**
 * What a low-rank branch adds: {@code y + s low B^T}, y {@code [..., out]}, low {@code [..., r]}, B
 * {@code [out, r]}. In one product, so that nothing as large as y is made but the sum.
 */
public final class LowRank {
  static final String SCRIPT =
      """
        def low_rank(self: __torch__.Ops,
          y: Tensor,
          low: Tensor,
          b: Tensor,
          scale: Tensor) -> Tensor:
          rows = torch.reshape(low, [-1, torch.size(low, -1)])
          sums = torch.reshape(y, [-1, torch.size(y, -1)])
          out = torch.addmm(sums, rows, torch.t(b), alpha=float(scale))
          return torch.reshape(out, torch.size(y))
      """;

  private LowRank() {}

  /** Fused where the arrays are PyTorch's own, else {@link #plain}. */
  public static NDArray add(NDArray y, NDArray low, NDArray b, double scale) {
    if (!TorchScript.runs(y, low, b)) {
      return plain(y, low, b, scale);
    }
    NDArray s = Buffers.create(y.getManager(), new double[] {scale}, new Shape());
    return TorchScript.call("low_rank", y, low, b, s).singletonOrThrow();
  }

  /** The definition, of array operations only. */
  public static NDArray plain(NDArray y, NDArray low, NDArray b, double scale) {
    NDArray high = low.getNDArrayInternal().linear(low, b, null).singletonOrThrow();
    return y.add(scale == 1 ? high : Scalars.mul(high, scale));
  }
}
