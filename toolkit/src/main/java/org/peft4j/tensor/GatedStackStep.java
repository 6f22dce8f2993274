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
  private static final String TEMPLATE =
      """
        def NAME(self: __torch__.Ops,
          x: Tensor,
          weights: List[Tensor],
          packed: List[PACKED],
          keys: List[Tensor],
          values: List[Tensor],
          rotation: Tensor,
          at: int,
          epsilon: float) -> Tensor:
          y = x
          n = torch.add(at, 1)
          size = torch.size(rotation, 0)
          width = torch.numel(x)
          for i in range(torch.len(keys)):
            w = torch.mul(i, 9)
            p = torch.mul(i, 7)
            kept_keys = keys[i]
            kept_values = values[i]
            groups = torch.size(kept_keys, 1)
            mean = torch.div(SQUARE(y), width)
            c = torch.div(1., torch.sqrt(torch.add(mean, epsilon)))
            h = torch.mul(torch.mul(y, weights[w]), c)
            q = {1 0: h}
            k = {2 1: h}
            v = {3 2: h}
            turned = torch.mm(torch.view(torch.cat([q, k], -1), [-1, size]), rotation)
            heads = torch.sub(torch.size(turned, 0), groups)
            new_key = torch.view(torch.narrow(turned, 0, heads, groups), [1, groups, 1, size])
            _0 = torch.copy_(torch.narrow(kept_keys, 2, at, 1), new_key)
            _1 = torch.copy_(torch.narrow(kept_values, 2, at, 1), torch.view(v, [1, groups, 1, size]))
            queries = torch.view(torch.narrow(turned, 0, 0, heads), [1, groups, -1, size])
            seen = torch.narrow(kept_keys, 2, 0, n)
            a = torch.scaled_dot_product_attention(queries, seen, torch.narrow(kept_values, 2, 0, n))
            z = {4 3: torch.reshape(a, SHAPE)} + y
            mean2 = torch.div(SQUARE(z), width)
            c2 = torch.div(1., torch.sqrt(torch.add(mean2, epsilon)))
            g = torch.mul(torch.mul(z, weights[torch.add(w, 5)]), c2)
            gate = torch.silu({6 4: g})
            f = torch.mul(gate, {7 5: g})
            y = {8 6: f} + z
          return y
      """;

  /** On vectors, which one row of a matrix takes longer than. */
  private static final Form VECTORS = new Form("[-1]", "float(torch.dot($1, $1))");

  /** On a matrix of one row, which some products need. */
  private static final Form ROW =
      new Form("[1, -1]", "torch.pow(float(torch.linalg_vector_norm($1)), 2)");

  private record Form(String shape, String square) {}

  static final String SCRIPT =
      script(
          "gated_stack_step",
          VECTORS,
          "Tensor",
          "torch.mv(weights[torch.add(w, $1)], $3)",
          "torch.addmv($4, weights[torch.add(w, $1)], $3)");

  /** With some weights in bfloat16. */
  static final String BF16_SCRIPT =
      script(
          "bf16_stack_step",
          VECTORS,
          "Tensor",
          "(self).row_product(weights[torch.add(w, $1)], $3, packed[0])",
          "torch.add($4, (self).row_product(weights[torch.add(w, $1)], $3, packed[0]))");

  static final String HALF_SCRIPT =
      script(
          "half_stack_step",
          ROW,
          HalfProduct.TYPE,
          "ops.quantized.linear_dynamic_fp16($3, packed[torch.add(p, $2)])",
          "torch.add($4, ops.quantized.linear_dynamic_fp16($3, packed[torch.add(p, $2)]))");

  /**
   * The method with products in one of several ways.
   *
   * @param product with the matrix at $1 of the layer's weights and $2 of its matrices, of $3
   * @param sum of such a product and $4
   */
  private static String script(String name, Form form, String packed, String product, String sum) {
    return TEMPLATE
        .replace("NAME", name)
        .replace("PACKED", packed)
        .replace("SHAPE", form.shape)
        .replaceAll("SQUARE\\((\\w)\\)", form.square)
        .replaceAll("\\{(\\d) (\\d): ([^}]*)} \\+ (\\w)", sum)
        .replaceAll("\\{(\\d) (\\d): ([^}]*)}", product);
  }

  private GatedStackStep() {}

  /**
   * Computes the layers.
   *
   * @param x {@code [hidden]}
   * @param weights {@link #WEIGHTS} of each layer, matrices {@code [out, in]}
   * @param halves copies of all matrices, in the same order, to take in their place; or empty
   * @param keys of each layer, {@code [1, groups, capacity, head size]}: those of earlier tokens;
   *     the new one is written behind them
   * @param values likewise
   * @param rotation {@code [head size, head size]}, by which queries and keys are multiplied
   * @param at number of earlier tokens
   * @return as many
   */
  public static NDArray of(
      NDArray x,
      List<NDArray> weights,
      List<HalfProduct> halves,
      List<NDArray> keys,
      List<NDArray> values,
      NDArray rotation,
      long at,
      double epsilon) {
    boolean half = !halves.isEmpty();
    boolean bf16 = !half && weights.stream().anyMatch(Bfloat16::is);
    return TorchScript.run(
        half ? "half_stack_step" : bf16 ? "bf16_stack_step" : "gated_stack_step",
        x.getManager(),
        IValue.from((PtNDArray) (half ? x.reshape(1, x.size()) : x)),
        list(weights),
        half
            ? IValue.listFrom(halves.stream().map(HalfProduct::packed).toArray(IValue[]::new))
            : list(List.of(bf16 ? Bfloat16.scratch(x) : x)),
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
