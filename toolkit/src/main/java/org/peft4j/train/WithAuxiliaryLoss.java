package org.peft4j.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import org.peft4j.adapter.PeftModel;
import org.peft4j.tensor.Scalars;

/**
 * An objective, with the same once more for what an active method has beside the model's layers: of
 * a loss l, and m by {@link org.peft4j.adapter.Learning#detached}, the loss is {@code l + weight
 * m}.
 */
final class WithAuxiliaryLoss implements Objective {
  private final Objective whole;
  private final Block detached;
  private final double weight;

  private WithAuxiliaryLoss(Objective whole, Block detached, double weight) {
    this.whole = whole;
    this.detached = detached;
    this.weight = weight;
  }

  /** {@code whole} itself where no active method has such a network, or does not train it so. */
  static Objective of(Objective whole, PeftModel model) {
    double weight = model.learning().auxiliaryLossWeight();
    return weight == 0 ? whole : new WithAuxiliaryLoss(whole, model.learning().detached(), weight);
  }

  @Override
  public int rows() {
    return whole.rows();
  }

  @Override
  public int length(int row) {
    return whole.length(row);
  }

  @Override
  public NDArray loss(
      Block model, ParameterStore store, NDManager manager, int[] rows, boolean training) {
    NDArray loss = whole.loss(model, store, manager, rows, training);
    NDArray own = whole.loss(detached, store, manager, rows, training);
    return loss.add(Scalars.mul(own, weight));
  }

  @Override
  public double weight(int[] rows) {
    return whole.weight(rows);
  }

  @Override
  public String describe() {
    return whole.describe();
  }

  @Override
  public Metrics evaluate(Block model, int batchSize) {
    return whole.evaluate(model, batchSize);
  }
}
