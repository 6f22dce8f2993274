package org.peft4j.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Attending;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.KeysValues;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Place;
import org.peft4j.tensor.GroupedAttention;

/**
 * What lies between the projections of an attention layer: heads split and joined, earlier keys and
 * values, what hooks add, groups of heads that share keys and values.
 *
 * @param heads number of query heads
 * @param groups number of key and value heads, a divisor of {@code heads}
 * @param size width of one head
 * @param dropout probability on the attention weights in training
 * @param scale what products of queries and keys are multiplied by
 * @param cap bound that tanh presses the products into, before the bias; 0 for none
 */
public record Heads(
    Place at, int heads, int groups, int size, double dropout, double scale, double cap) {
  /** Without a cap. */
  public Heads(Place at, int heads, int groups, int size, double dropout, double scale) {
    this(at, heads, groups, size, dropout, scale, 0);
  }

  /** With the usual scale, {@code 1 / sqrt(size)}. */
  public Heads(Place at, int heads, int groups, int size, double dropout) {
    this(at, heads, groups, size, dropout, 1 / Math.sqrt(size));
  }

  /** {@code [B, T, heads size]} to {@code [B, heads, T, size]}. */
  public NDArray queries(NDArray x) {
    return split(x, heads);
  }

  /** {@code [B, T, groups size]} to {@code [B, groups, T, size]}. */
  public NDArray keys(NDArray x) {
    return split(x, groups);
  }

  /**
   * The sizes of a model of one stack that has such heads in every layer.
   *
   * @param hidden width of its hidden states
   * @param paths module paths of its layers
   */
  public Anatomy anatomy(int hidden, Frozen embeddings, List<String> paths) {
    return new Anatomy(hidden, paths.size(), heads, groups, size, 1, embeddings, paths);
  }

  private NDArray split(NDArray x, int n) {
    return x.reshape(x.getShape().get(0), x.getShape().get(1), n, size).transpose(0, 2, 1, 3);
  }

  /**
   * Attention of the new rows to all so far.
   *
   * @param q {@code [B, T, heads size]}
   * @param k of the new rows, {@code [B, T, groups size]}
   * @param v likewise
   * @param bias broadcastable to {@code [B, heads, T, keys]}, or null
   * @return {@code [B, T, heads size]}
   */
  public NDArray attend(
      Pass pass, Sequence sequence, NDArray q, NDArray k, NDArray v, @Nullable NDArray bias) {
    KvCache cache = sequence.cache();
    GroupedAttention one = new GroupedAttention(heads, groups, size, scale, cap);
    if (cache instanceof ArrayCache arrays && bias != null && one.records(q)) {
      KeysValues earlier = arrays.earlier();
      if (earlier != null && pass.leavesAttention()) {
        var r = one.of(q, k, v, earlier.keys(), earlier.values(), bias);
        arrays.add(new KeysValues(r.keys(), r.values()));
        return r.joined();
      }
    }
    KeysValues kv = new KeysValues(keys(k), keys(v));
    KeysValues all = sequence.context().start() ? pass.keysValues(sequence.context(), at, kv) : kv;
    KeysValues seen = cache == null ? all : cache.append(at.layer(), all);
    return attendTo(pass, sequence, queries(q), seen, over(bias, seen));
  }

  /**
   * Attention to another sequence, such as an encoder's output, whose keys and values are made at
   * the first step and kept where there is a cache.
   *
   * @param others gives those of the other sequence, {@code [B, groups, S, size]}
   * @param bias broadcastable to {@code [B, heads, T, S]}, or null
   */
  public NDArray attendAcross(
      Pass pass,
      Sequence sequence,
      NDArray q,
      Supplier<KeysValues> others,
      @Nullable NDArray bias) {
    Supplier<KeysValues> all = () -> pass.keysValues(sequence.context(), at, others.get());
    KvCache cache = sequence.cache();
    KeysValues kv = cache == null ? all.get() : cache.once(name(), all);
    return attendTo(pass, sequence, q, kv, over(bias, kv));
  }

  /** The bias with room for keys that a hook has put in front; they are seen by all. */
  private static @Nullable NDArray over(@Nullable NDArray bias, KeysValues kv) {
    long more = bias == null ? 0 : kv.keys().getShape().get(2) - bias.getShape().get(3);
    if (bias == null || more <= 0) {
      return bias;
    }
    Shape s = bias.getShape();
    Shape front = new Shape(s.get(0), s.get(1), s.get(2), more);
    return bias.getManager().zeros(front, bias.getDataType()).concat(bias, 3);
  }

  /** Attention of the new rows to exactly these keys and values. */
  private NDArray attendTo(
      Pass pass, Sequence sequence, NDArray q, KeysValues kv, @Nullable NDArray bias) {
    long b = q.getShape().get(0);
    long t = q.getShape().get(2);
    UnaryOperator<NDArray> drop =
        pass.training() && dropout > 0 ? w -> pass.dropout(name(), dropout, w) : null;
    if (t == 1 && groups < heads && sequence.cache() != null && drop == null) {
      // the heads of a group stand as rows of one head: no key is copied
      NDArray grouped = q.reshape(b, groups, heads / groups, size);
      Attending a = new Attending(grouped, kv.keys(), kv.values(), bias, scale, null, cap);
      return pass.attention(sequence.context(), at, a).reshape(b, 1, (long) heads * size);
    }
    Attending a = new Attending(q, shared(kv.keys()), shared(kv.values()), bias, scale, drop, cap);
    NDArray y = pass.attention(sequence.context(), at, a);
    return y.transpose(0, 2, 1, 3).reshape(b, t, (long) heads * size);
  }

  private String name() {
    return at.path() + "." + at.part();
  }

  /** Keys or values of a group repeated for each head that shares them. */
  private NDArray shared(NDArray x) {
    return groups == heads ? x : x.repeat(1, heads / groups);
  }
}
