package org.peft4j.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Pass;
import org.peft4j.tensor.ActivationFunction;
import org.peft4j.tensor.Buffers;

/**
 * The experts of a sparse feed-forward part, {@code y = sum_j p_j down_e(act(gate_e(x)) * up_e(x))}
 * over the experts {@code e = e_j} that a token is sent to: {@code gate_up_proj [experts, 2 inner,
 * hidden]}, {@code down_proj [experts, hidden, inner]}.
 */
public final class Experts extends Layer {
  private final int experts;
  private final ExpertStack gateUp;
  private final ExpertStack down;
  private final ActivationFunction activation;

  public Experts(int experts, long hidden, long inner, ActivationFunction activation) {
    this.experts = experts;
    this.activation = activation;
    gateUp = addChildBlock("gate_up_proj", new ExpertStack(experts, 2 * inner, hidden));
    down = addChildBlock("down_proj", new ExpertStack(experts, hidden, inner));
  }

  /**
   * What the chosen experts make of x.
   *
   * @param x {@code [batch, length, hidden]}
   * @param probabilities of all experts, {@code [batch, length, experts]}
   * @param k how many a token is sent to
   * @param normalized whether the probabilities of those are made to sum to 1
   */
  public NDArray apply(Pass pass, NDArray x, NDArray probabilities, int k, boolean normalized) {
    return x instanceof PtNDArray
        ? sent(pass, x, probabilities, k, normalized)
        : everywhere(pass, x, probabilities, k, normalized);
  }

  /** Every expert computes on the rows that are sent to it, all of them side by side. */
  private NDArray sent(Pass pass, NDArray x, NDArray probabilities, int k, boolean normalized) {
    long hidden = x.getShape().get(2);
    NDList best = probabilities.reshape(-1, experts).topK(k, 1);
    NDArray p = normalized ? best.get(0).div(best.get(0).sum(new int[] {1}, true)) : best.get(0);
    long[] chosen = best.get(1).toType(DataType.INT64, false).toLongArray();
    int[] end = new int[experts];
    for (long e : chosen) {
      end[(int) e]++;
    }
    for (int e = 1; e < experts; e++) {
      end[e] += end[e - 1];
    }
    long[] token = new long[chosen.length]; // by row behind the sort
    long[] row = new long[chosen.length]; // by token and choice
    int[] next = end.clone();
    for (int i = chosen.length - 1; i >= 0; i--) {
      int r = --next[(int) chosen[i]];
      token[r] = i / k;
      row[i] = r;
    }
    var manager = x.getManager();
    NDArray rows =
        Operation.EMBEDDING.apply(
            Buffers.create(manager, token, new Shape(token.length)), x.reshape(-1, hidden), null);
    NDArray inner = gateUp.weight(pass);
    NDArray outer = down.weight(pass);
    NDList parts = new NDList();
    for (int e = 0; e < experts; e++) {
      int from = next[e];
      if (from < end[e]) {
        NDArray mine = rows.get(new NDIndex("{}:{}", from, end[e]));
        NDArray gated = gated(Operation.LINEAR.apply(mine, inner.get(e), null));
        parts.add(Operation.LINEAR.apply(gated, outer.get(e), null));
      }
    }
    NDArray all = NDArrays.concat(parts, 0);
    NDArray each =
        Operation.EMBEDDING.apply(
            Buffers.create(manager, row, new Shape(row.length / k, k)), all, null);
    return each.mul(p.expandDims(2)).sum(new int[] {1}).reshape(x.getShape());
  }

  /** Every expert computes on every token, as a graph does that knows no lists of rows. */
  private NDArray everywhere(
      Pass pass, NDArray x, NDArray probabilities, int k, boolean normalized) {
    NDArray best = probabilities.topK(k, 2).get(0); // [batch, length, k]
    NDArray least = best.min(new int[] {2}, true);
    NDArray p = probabilities.mul(probabilities.gte(least).toType(DataType.FLOAT32, false));
    NDArray share = normalized ? p.div(best.sum(new int[] {2}, true)) : p;
    NDArray inner = gateUp.weight(pass).transpose(0, 2, 1);
    NDArray outer = down.weight(pass).transpose(0, 2, 1);
    NDArray each = gated(x.expandDims(1).matMul(inner)).matMul(outer); // [b, experts, length, h]
    return each.mul(share.transpose(0, 2, 1).expandDims(3)).sum(new int[] {1});
  }

  /** {@code act(gate) * up} of the two side by side. */
  private NDArray gated(NDArray both) {
    Shape shape = both.getShape();
    long inner = shape.get(shape.dimension() - 1) / 2;
    NDArray gate = both.get(new NDIndex("..., 0:" + inner));
    NDArray up = both.get(new NDIndex("..., " + inner + ":" + 2 * inner));
    return activation.apply(gate).mul(up);
  }

  @Override
  protected NDList compute(Pass pass, NDList in) {
    throw new UnsupportedOperationException("experts compute as part of their model");
  }
}
