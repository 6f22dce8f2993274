package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

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
      return Composite.of(
              new Composite.Operator("", "SimplifiedLayerNormalization", attributes(epsilon), true),
              in -> new NDList(plain(in(in, 0), in(in, 1), epsilon)),
              x,
              weight)
          .head();
    }
    NDArray e = Buffers.create(x.getManager(), new double[] {epsilon}, new Shape());
    return TorchScript.call("rms", x, weight, e).singletonOrThrow();
  }

  private static Map<String, ?> attributes(double epsilon) {
    return Map.of("axis", -1L, "epsilon", (float) epsilon, "stash_type", 1L);
  }

  private static NDArray in(@Nullable NDArray[] inputs, int i) {
    return Objects.requireNonNull(inputs[i]);
  }

  /** The definition, of array operations only. */
  public static NDArray plain(NDArray x, NDArray weight, double epsilon) {
    NDArray mean = x.square().mean(new int[] {-1}, true);
    return x.div(mean.add(epsilon).sqrt()).mul(weight);
  }
}
