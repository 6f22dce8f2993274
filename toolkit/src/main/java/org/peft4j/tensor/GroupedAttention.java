package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Attention of new tokens to all so far, whose earlier keys and values are whole arrays: {@code
 * softmax(scale q k^T + bias) v}, where each group of query heads shares keys and values. A graph
 * for ONNX Runtime has one operator for it, which can write new keys and values behind the earlier
 * ones in place.
 *
 * @param heads number of query heads
 * @param groups number of key and value heads, a divisor of {@code heads}
 * @param size width of one head
 * @param cap bound that tanh presses the products into, before the bias; 0 for none
 */
public record GroupedAttention(int heads, int groups, int size, double scale, double cap) {
  /** The runtime's operator takes heads of such widths only. */
  private static final int WIDTHS = 8;

  /**
   * What it gives.
   *
   * @param joined {@code [B, T, heads size]}
   * @param keys of all tokens, {@code [B, groups, P + T, size]}
   * @param values likewise
   */
  public record Result(NDArray joined, NDArray keys, NDArray values) {}

  /** Whether a graph that q belongs to can have the operator. */
  public boolean records(NDArray q) {
    return size % WIDTHS == 0 && Composite.allowsContrib(q);
  }

  /**
   * Attends.
   *
   * @param q {@code [B, T, heads size]}
   * @param k {@code [B, T, groups size]}
   * @param v likewise
   * @param pastKeys {@code [B, groups, P, size]}
   * @param pastValues likewise
   * @param bias {@code [B or 1, heads or 1, T, P + T]}: 0 where a key is seen, a large negative
   *     number where it is not, future ones included
   */
  public Result of(
      NDArray q, NDArray k, NDArray v, NDArray pastKeys, NDArray pastValues, NDArray bias) {
    long batch = q.getShape().get(0);
    int total = (int) bias.getShape().get(3);
    NDArray last = q.getManager().full(new Shape(batch), total - 1, DataType.INT32);
    NDArray all = q.getManager().full(new Shape(1), total, DataType.INT32);
    NDList out =
        Composite.of(
            Composite.Operator.contrib("GroupQueryAttention", attributes()),
            this::plain,
            q,
            k,
            v,
            pastKeys,
            pastValues,
            last,
            all,
            null,
            null,
            null,
            bias);
    return new Result(out.get(0), out.get(1), out.get(2));
  }

  private Map<String, ?> attributes() {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("num_heads", (long) heads);
    all.put("kv_num_heads", (long) groups);
    all.put("scale", (float) scale);
    if (cap > 0) {
      all.put("softcap", (float) cap);
    }
    return all;
  }

  private NDList plain(@Nullable NDArray[] in) {
    NDArray q = split(in[0], heads);
    NDArray keys = Objects.requireNonNull(in[3]).concat(split(in[1], groups), 2);
    NDArray values = Objects.requireNonNull(in[4]).concat(split(in[2], groups), 2);
    NDArray y = Attention.weights(q, shared(keys), in[10], scale, cap).matMul(shared(values));
    Shape s = q.getShape();
    return new NDList(
        y.transpose(0, 2, 1, 3).reshape(s.get(0), s.get(2), (long) heads * size), keys, values);
  }

  private NDArray split(@Nullable NDArray x, int n) {
    Shape s = Objects.requireNonNull(x).getShape();
    return x.reshape(s.get(0), s.get(1), n, size).transpose(0, 2, 1, 3);
  }

  private NDArray shared(NDArray x) {
    return groups == heads ? x : x.repeat(1, heads / groups);
  }
}
