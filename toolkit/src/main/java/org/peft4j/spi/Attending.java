package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.peft4j.tensor.Attention;

/**
 * One attention: q {@code [B, H, T, d]}, k and v {@code [B, H, S, d]}.
 *
 * @param bias broadcastable to {@code [B, H, T, S]}: 0 where a key is seen, a large negative number
 *     where it is not; null where all are
 * @param scale what products of q and k are multiplied by
 * @param dropout acts on the attention weights in training; null where there is none
 * @param cap bound that tanh presses the products into, before the bias; 0 for none
 */
public record Attending(
    NDArray q,
    NDArray k,
    NDArray v,
    @Nullable NDArray bias,
    double scale,
    @Nullable UnaryOperator<NDArray> dropout,
    double cap) {
  /** Without a cap. */
  public Attending(
      NDArray q,
      NDArray k,
      NDArray v,
      @Nullable NDArray bias,
      double scale,
      @Nullable UnaryOperator<NDArray> dropout) {
    this(q, k, v, bias, scale, dropout, 0);
  }

  /** {@code dropout(softmax(scale q k^T + bias)) v}, {@code [B, H, T, d]}. */
  public NDArray attend() {
    if (dropout != null) {
      return dropout.apply(weights()).matMul(v);
    }
    return cap > 0 ? weights().matMul(v) : Attention.of(q, k, v, bias, scale);
  }

  /** The attention weights {@code [B, H, T, S]}, before dropout. */
  public NDArray weights() {
    return Attention.weights(q, k, bias, scale, cap);
  }
}
