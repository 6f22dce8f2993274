package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import org.peft4j.nn.Projection;
import org.peft4j.spi.Pass;

/**
 * The classifier of decoders: one linear layer {@code score} without bias on the last token that is
 * not padding, logits {@code [batch, labels]}. Padding is what has the configuration's {@code
 * pad_token_id}, else what the mask leaves out.
 */
final class LastTokenHead extends Head {
  private final Projection score;
  private final long padding;

  LastTokenHead(Config config, int hidden, int labels) {
    score = addChildBlock("score", new Projection(hidden, labels, false, "head"));
    padding = (long) config.number("pad_token_id", -1);
  }

  @Override
  public NDArray apply(Pass pass, Body body, Inputs in, NDArray hidden) {
    NDArray own = body.own(pass, in, hidden);
    NDArray tokens = padding < 0 ? in.mask() : in.ids().neq(padding);
    return score.apply(pass, tokens == null ? own.get(":, -1") : last(own, tokens));
  }

  /**
   * Rows {@code [batch, hidden]} at the last place where tokens {@code [batch, length]} is not 0.
   */
  private static NDArray last(NDArray x, NDArray tokens) {
    int length = (int) x.getShape().get(1);
    NDArray place = x.getManager().arange(0, length, 1, DataType.INT64).reshape(1, length);
    NDArray last = tokens.toType(DataType.INT64, false).mul(place).max(new int[] {1}, true);
    NDArray chosen = place.eq(last).toType(DataType.FLOAT32, false);
    return x.mul(chosen.expandDims(2)).sum(new int[] {1});
  }

  @Override
  public Task task() {
    return Task.SEQUENCE_CLASSIFICATION;
  }
}
