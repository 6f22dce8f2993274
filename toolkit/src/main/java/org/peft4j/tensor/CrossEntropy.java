package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;

/**
 * Mean cross entropy of logits {@code [n, classes]} against int64 targets {@code [n]}; a target of
 * -100 does not count.
 */
public final class CrossEntropy {
  /** The target of a row that is not scored. */
  public static final long IGNORED = -100;

  static final String SCRIPT =
      """
        def cross_entropy(self: __torch__.Ops,
          logits: Tensor,
          targets: Tensor) -> Tensor:
          return torch.cross_entropy_loss(logits, targets, None, 1, -100, 0.)
      """;

  private CrossEntropy() {}

  /** Fused where the arrays are PyTorch's own, else {@link #plain}. NaN if no row counts. */
  public static NDArray mean(NDArray logits, NDArray targets) {
    if (!TorchScript.runs(logits, targets)) {
      return plain(logits, targets);
    }
    return TorchScript.call("cross_entropy", logits, targets).singletonOrThrow();
  }

  /**
   * The weighted sum over rows, which are all scored.
   *
   * @param logits {@code [n, classes]}
   * @param targets int64 {@code [n]}
   * @param weights {@code [n]}
   */
  public static NDArray sum(NDArray logits, NDArray targets, NDArray weights) {
    NDArray chosen = logits.logSoftmax(1).gather(targets.expandDims(1), 1).squeeze(1);
    return chosen.mul(weights).sum().neg();
  }

  /** The definition, of array operations only. */
  static NDArray plain(NDArray logits, NDArray targets) {
    NDArray counted = targets.neq(IGNORED).toType(DataType.FLOAT32, false);
    NDArray safe = targets.maximum(0).toType(DataType.INT64, false).expandDims(1);
    NDArray chosen = logits.logSoftmax(1).gather(safe, 1).squeeze(1);
    return chosen.mul(counted).sum().neg().div(counted.sum());
  }
}
