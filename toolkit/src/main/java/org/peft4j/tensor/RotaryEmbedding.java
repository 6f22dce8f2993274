package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.index.NDIndex;

/**
 * Turns pairs of features by an angle per position (arXiv 2104.09864), feature i with feature i +
 * d/2: {@code x cos + rotate(x) sin} with {@code rotate([a, b]) = [-b, a]}; x {@code [B, H, T, d]},
 * cos and sin broadcastable to it.
 */
public final class RotaryEmbedding {
  static final String SCRIPT =
      """
        def rotary(self: __torch__.Ops,
          x: Tensor,
          cos: Tensor,
          sin: Tensor) -> Tensor:
          half = torch.floordiv(torch.size(x, -1), 2)
          a = torch.narrow(x, -1, 0, half)
          b = torch.narrow(x, -1, half, half)
          turned = torch.cat([torch.neg(b), a], -1)
          return torch.add(torch.mul(x, cos), torch.mul(turned, sin))
      """;

  private RotaryEmbedding() {}

  /** Fused where the arrays are PyTorch's own, else {@link #plain}. */
  public static NDArray turn(NDArray x, NDArray cos, NDArray sin) {
    return TorchScript.runs(x, cos, sin)
        ? TorchScript.call("rotary", x, cos, sin).singletonOrThrow()
        : plain(x, cos, sin);
  }

  /** The definition, of array operations only. */
  public static NDArray plain(NDArray x, NDArray cos, NDArray sin) {
    long half = x.getShape().get(3) / 2;
    NDArray first = x.get(new NDIndex("..., :" + half));
    NDArray second = x.get(new NDIndex("..., " + half + ":"));
    return x.mul(cos).add(second.neg().concat(first, -1).mul(sin));
  }
}
