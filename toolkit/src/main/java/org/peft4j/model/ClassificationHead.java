package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import org.peft4j.nn.Projection;
import org.peft4j.spi.Pass;

/** Pooling, dropout and one linear layer {@code classifier}: logits {@code [batch, labels]}. */
final class ClassificationHead extends Head {
  private final Task task;
  private final Pooling pooling;
  private final double dropout;
  private final Projection classifier;

  ClassificationHead(int hidden, int labels, Pooling pooling, double dropout, Task task) {
    this.task = task;
    this.pooling = pooling;
    this.dropout = dropout;
    classifier = addChildBlock("classifier", new Projection(hidden, labels, true, "head"));
  }

  @Override
  public NDArray apply(Pass pass, Body body, Inputs in, NDArray hidden) {
    return classifier.apply(
        pass, pass.dropout("classifier", dropout, pooling.apply(pass, body, in, hidden)));
  }

  @Override
  public Task task() {
    return task;
  }
}
