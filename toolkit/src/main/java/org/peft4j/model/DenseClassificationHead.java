package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import org.peft4j.nn.Group;
import org.peft4j.nn.Projection;
import org.peft4j.spi.Pass;

/**
 * RoBERTa's classifier: a dense layer with tanh and a linear layer on the first token, logits
 * {@code [batch, labels]}.
 */
final class DenseClassificationHead extends Head {
  private final double dropout;
  private final Projection dense;
  private final Projection out;

  DenseClassificationHead(int hidden, int labels, double dropout) {
    this.dropout = dropout;
    Group classifier = addChildBlock("classifier", new Group());
    dense = classifier.child("dense", new Projection(hidden, hidden, true, null));
    out = classifier.child("out_proj", new Projection(hidden, labels, true, "head"));
  }

  @Override
  public NDArray apply(Pass pass, Body body, Inputs in, NDArray hidden) {
    NDArray first = pass.dropout("classifier.in", dropout, hidden.get(":, 0"));
    NDArray inner = dense.apply(pass, first).tanh();
    return out.apply(pass, pass.dropout("classifier.out", dropout, inner));
  }

  @Override
  public Task task() {
    return Task.SEQUENCE_CLASSIFICATION;
  }
}
