package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;

/**
 * Root-mean-square normalisation over the last axis: {@code x / sqrt(mean(x^2) + epsilon) *
 * weight}.
 */
public final class RootMeanSquare {
  static final String SCRIPT =
      """
        def rms(self: __torch__.Ops,
          x: Tensor,
          weight: Tensor,
          epsilon: Tensor) -> Tensor:
          return torch.rms_norm(x, [torch.size(x, -1)], weight, float(epsilon))
      """;

  private RootMeanSquare() {}

  /** Fused where the arrays are PyTorch's own, else {@link #plain}. */
  public static NDArray normalize(NDArray x, NDArray weight, double epsilon) {
    if (!TorchScript.runs(x, weight)) {
      return plain(x, weight, epsilon);
    }
    NDArray e = Buffers.create(x.getManager(), new double[] {epsilon}, new Shape());
    return TorchScript.call("rms", x, weight, e).singletonOrThrow();
  }

  /** The definition, of array operations only. */
  public static NDArray plain(NDArray x, NDArray weight, double epsilon) {
    NDArray mean = x.square().mean(new int[] {-1}, true);
    return x.div(mean.add(epsilon).sqrt()).mul(weight);
  }
}
