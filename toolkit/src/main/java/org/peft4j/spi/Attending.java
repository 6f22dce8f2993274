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
 */
public record Attending(
    NDArray q,
    NDArray k,
    NDArray v,
    @Nullable NDArray bias,
    double scale,
    @Nullable UnaryOperator<NDArray> dropout) {
  /** {@code dropout(softmax(scale q k^T + bias)) v}, {@code [B, H, T, d]}. */
  public NDArray attend() {
    if (dropout != null) {
      return dropout.apply(Attention.weights(q, k, bias, scale)).matMul(v);
    }
    return Attention.of(q, k, v, bias, scale);
  }
}
