package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;

/**
 * Scaled dot-product attention, {@code softmax(q k^T / sqrt(d) + bias) v}: q {@code [B, H, T, d]},
 * k and v {@code [B, H, S, d]}, bias broadcastable to {@code [B, H, T, S]} (0 where a key is seen,
 * a large negative number where it is not).
 */
public final class Attention {
  static final String SCRIPT =
      """
        def attention(self: __torch__.Ops,
          q: Tensor,
          k: Tensor,
          v: Tensor,
          bias: Tensor) -> Tensor:
          return torch.scaled_dot_product_attention(q, k, v, bias)
      """;

  private Attention() {}

  /** Fused where the arrays are PyTorch's own, else {@link #plain}. */
  public static NDArray of(NDArray q, NDArray k, NDArray v, NDArray bias) {
    if (!TorchScript.runs(q, k, v, bias)) {
      return plain(q, k, v, bias);
    }
    return TorchScript.call("attention", q, k, v, bias).singletonOrThrow();
  }

  /** The definition, of array operations only. */
  public static NDArray plain(NDArray q, NDArray k, NDArray v, NDArray bias) {
    return weights(q, k, bias).matMul(v);
  }

  /** The attention weights {@code [B, H, T, S]}, for those who drop some of them out. */
  public static NDArray weights(NDArray q, NDArray k, NDArray bias) {
    double scale = 1 / Math.sqrt(q.getShape().get(3));
    return Scalars.mul(q.matMul(k.transpose(0, 1, 3, 2)), scale).add(bias).softmax(-1);
  }
}
