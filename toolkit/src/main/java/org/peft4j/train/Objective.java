package org.peft4j.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;

/** What a run learns from: rows, and the loss of some of them. */
public interface Objective {
  /** Number of rows. */
  int rows();

  /** Length of a row, by which rows of one batch are chosen alike. */
  int length(int row);

  /** Mean loss of these rows, a scalar; {@code manager} owns what is made. */
  NDArray loss(Block model, ParameterStore store, NDManager manager, int[] rows, boolean training);

  /**
   * What the loss is the mean of: rows, or tokens that count. Gradient accumulation weighs by it.
   */
  default double weight(int[] rows) {
    return rows.length;
  }

  /** What there is to learn, in a few words. */
  default String describe() {
    return rows() + " rows";
  }

  /** Figures over all rows, without training. */
  Metrics evaluate(Block model, int batchSize);
}
