package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.IValue;
import java.util.List;

/**
 * One new token through all layers of a decoder, as one call: in each RMS norm, grouped attention
 * with rotary positions, RMS norm, gated feed-forward (SiLU), both parts added to what came in. For
 * one token, calling operations one by one takes as long as reading the weights.
 */
public final class GatedStackStep {
  /** Arrays of a layer, in this order: norm, q, k, v, o, norm, gate, up, down. */
  public static final int WEIGHTS = 9;

  /** Heads turn by a product with one matrix, which is made once for all layers. */
  static final String SCRIPT =
      """
        def gated_stack_step(self: __torch__.Ops,
          x: Tensor,
          weights: List[Tensor],
          keys: List[Tensor],
          values: List[Tensor],
          rotation: Tensor,
          at: int,
          epsilon: float) -> Tensor:
          y = x
          n = torch.add(at, 1)
          size = torch.size(rotation, 0)
          width = torch.size(x, 0)
          for i in range(torch.len(keys)):
            w = torch.mul(i, 9)
            kept_keys = keys[i]
            kept_values = values[i]
            groups = torch.size(kept_keys, 1)
            mean = torch.div(float(torch.dot(y, y)), width)
            c = torch.div(1., torch.sqrt(torch.add(mean, epsilon)))
            h = torch.mul(torch.mul(y, weights[w]), c)
            q = torch.mv(weights[torch.add(w, 1)], h)
            k = torch.mv(weights[torch.add(w, 2)], h)
            v = torch.mv(weights[torch.add(w, 3)], h)
            turned = torch.mm(torch.view(torch.cat([q, k]), [-1, size]), rotation)
            heads = torch.sub(torch.size(turned, 0), groups)
            new_key = torch.view(torch.narrow(turned, 0, heads, groups), [1, groups, 1, size])
            _0 = torch.copy_(torch.narrow(kept_keys, 2, at, 1), new_key)
            _1 = torch.copy_(torch.narrow(kept_values, 2, at, 1), torch.view(v, [1, groups, 1, size]))
            queries = torch.view(torch.narrow(turned, 0, 0, heads), [1, groups, -1, size])
            seen = torch.narrow(kept_keys, 2, 0, n)
            a = torch.scaled_dot_product_attention(queries, seen, torch.narrow(kept_values, 2, 0, n))
            z = torch.addmv(y, weights[torch.add(w, 4)], torch.reshape(a, [-1]))
            mean2 = torch.div(float(torch.dot(z, z)), width)
            c2 = torch.div(1., torch.sqrt(torch.add(mean2, epsilon)))
            g = torch.mul(torch.mul(z, weights[torch.add(w, 5)]), c2)
            gate = torch.silu(torch.mv(weights[torch.add(w, 6)], g))
            f = torch.mul(gate, torch.mv(weights[torch.add(w, 7)], g))
            y = torch.addmv(z, weights[torch.add(w, 8)], f)
          return y
      """;

  private GatedStackStep() {}

  /**
   * Computes the layers.
   *
   * @param x {@code [hidden]}
   * @param weights {@link #WEIGHTS} of each layer, matrices {@code [out, in]}
   * @param keys of each layer, {@code [1, groups, capacity, head size]}: those of earlier tokens;
   *     the new one is written behind them
   * @param values likewise
   * @param rotation {@code [head size, head size]}, by which queries and keys are multiplied
   * @param at number of earlier tokens
   * @return {@code [hidden]}
   */
  public static NDArray of(
      NDArray x,
      List<NDArray> weights,
      List<NDArray> keys,
      List<NDArray> values,
      NDArray rotation,
      long at,
      double epsilon) {
    return TorchScript.run(
        "gated_stack_step",
        x.getManager(),
        IValue.from((PtNDArray) x),
        list(weights),
        list(keys),
        list(values),
        IValue.from((PtNDArray) rotation),
        IValue.from(at),
        IValue.from(epsilon));
  }

  private static IValue list(List<NDArray> arrays) {
    return IValue.listFrom(arrays.stream().map(PtNDArray.class::cast).toArray(PtNDArray[]::new));
  }
}
