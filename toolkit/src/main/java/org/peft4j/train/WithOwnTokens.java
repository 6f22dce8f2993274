package org.peft4j.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import org.peft4j.adapter.PeftModel;
import org.peft4j.tensor.Scalars;

/**
 * An objective, with the tokens that active methods put in front of every text and learn too: of w
 * scored tokens of texts with mean loss l, and n own ones before each of b texts with losses that
 * add up to s, the loss is {@code (w l + b s) / (w + b n)}.
 */
final class WithOwnTokens implements Objective {
  private final Objective texts;
  private final PeftModel adapted;
  private final int own;

  private WithOwnTokens(Objective texts, PeftModel adapted, int own) {
    this.texts = texts;
    this.adapted = adapted;
    this.own = own;
  }

  /** {@code texts} itself where no active method has such tokens. */
  static Objective of(Objective texts, PeftModel model) {
    int own = model.learning().ownTokens();
    return own == 0 ? texts : new WithOwnTokens(texts, model, own);
  }

  @Override
  public int rows() {
    return texts.rows();
  }

  @Override
  public int length(int row) {
    return texts.length(row);
  }

  @Override
  public NDArray loss(
      Block model, ParameterStore store, NDManager manager, int[] rows, boolean training) {
    NDArray loss = texts.loss(model, store, manager, rows, training);
    double all = weight(rows);
    NDArray ofTexts = Scalars.mul(loss, texts.weight(rows) / all);
    NDArray ofOwn = Scalars.mul(adapted.learning().ownLoss(store, manager), rows.length / all);
    return ofTexts.add(ofOwn);
  }

  @Override
  public double weight(int[] rows) {
    return texts.weight(rows) + (double) rows.length * own;
  }

  @Override
  public String describe() {
    return texts.describe();
  }

  @Override
  public Metrics evaluate(Block model, int batchSize) {
    return texts.evaluate(model, batchSize);
  }
}
