package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import org.jspecify.annotations.Nullable;

/**
 * Scaled dot-product attention, {@code softmax(scale q k^T + bias) v}: q {@code [B, H, T, d]}, k
 * and v {@code [B, H, S, d]}, bias broadcastable to {@code [B, H, T, S]} (0 where a key is seen, a
 * large negative number where it is not).
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

  static final String UNBIASED_SCRIPT =
      """
        def attention_unbiased(self: __torch__.Ops,
          q: Tensor,
          k: Tensor,
          v: Tensor) -> Tensor:
          return torch.scaled_dot_product_attention(q, k, v)
      """;

  private Attention() {}

  /** With the usual scale, {@code 1 / sqrt(d)}. */
  public static NDArray of(NDArray q, NDArray k, NDArray v, @Nullable NDArray bias) {
    return of(q, k, v, bias, scale(q));
  }

  /** Fused where the arrays are PyTorch's own, else {@link #plain}. */
  public static NDArray of(NDArray q, NDArray k, NDArray v, @Nullable NDArray bias, double scale) {
    if (!TorchScript.runs(q, k, v, bias)) {
      return plain(q, k, v, bias, scale);
    }
    double usual = scale(q);
    NDArray scaled = scale == usual ? q : Scalars.mul(q, scale / usual);
    return bias == null
        ? TorchScript.call("attention_unbiased", scaled, k, v).singletonOrThrow()
        : TorchScript.call("attention", scaled, k, v, bias).singletonOrThrow();
  }

  /** The definition, of array operations only. */
  public static NDArray plain(
      NDArray q, NDArray k, NDArray v, @Nullable NDArray bias, double scale) {
    return weights(q, k, bias, scale, 0).matMul(v);
  }

  /**
   * The attention weights {@code [B, H, T, S]}, for those who drop some of them out.
   *
   * @param cap bound of the products before the bias, see {@link #capped}; 0 for none
   */
  public static NDArray weights(
      NDArray q, NDArray k, @Nullable NDArray bias, double scale, double cap) {
    NDArray products = Scalars.mul(q.matMul(k.transpose(0, 1, 3, 2)), scale);
    NDArray scores = cap > 0 ? capped(products, cap) : products;
    return (bias == null ? scores : scores.add(bias)).softmax(-1);
  }

  /** {@code cap tanh(x / cap)}: x where it is small, never beyond the cap. */
  public static NDArray capped(NDArray x, double cap) {
    return Scalars.mul(Scalars.mul(x, 1 / cap).tanh(), cap);
  }

  /** {@code 1 / sqrt(d)} for heads of q's size. */
  public static double scale(NDArray q) {
    return 1 / Math.sqrt(q.getShape().get(3));
  }
}
