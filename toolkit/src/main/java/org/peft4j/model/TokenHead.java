package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import java.util.List;
import org.peft4j.nn.Projection;
import org.peft4j.spi.Pass;

/**
 * One linear layer on every token: {@code classifier} for labels of tokens, {@code qa_outputs} for
 * where an answer begins and ends.
 */
final class TokenHead extends Head {
  private final Task task;
  private final double dropout;
  private final Projection projection;

  private TokenHead(Task task, String name, int hidden, int labels, double dropout) {
    this.task = task;
    this.dropout = dropout;
    projection = addChildBlock(name, new Projection(hidden, labels, true, "head"));
  }

  /** Labels of tokens: logits {@code [batch, length, labels]}. */
  static TokenHead labels(int hidden, int labels, double dropout) {
    return new TokenHead(Task.TOKEN_CLASSIFICATION, "classifier", hidden, labels, dropout);
  }

  /** Begin and end of an answer: two times logits {@code [batch, length]}. */
  static TokenHead answers(int hidden, double dropout) {
    return new TokenHead(Task.QUESTION_ANSWERING, "qa_outputs", hidden, 2, dropout);
  }

  @Override
  public NDArray apply(Pass pass, Body body, Inputs in, NDArray hidden) {
    return projection.apply(pass, pass.dropout("classifier", dropout, body.own(pass, in, hidden)));
  }

  @Override
  public NDList outputs(Pass pass, Body body, Inputs in, NDArray hidden) {
    NDArray logits = apply(pass, body, in, hidden);
    return task == Task.TOKEN_CLASSIFICATION
        ? new NDList(logits)
        : new NDList(logits.get(":, :, 0"), logits.get(":, :, 1"));
  }

  @Override
  public Task task() {
    return task;
  }

  @Override
  boolean drops() {
    return super.drops() || dropout > 0;
  }

  @Override
  public List<String> outputNames() {
    return task == Task.TOKEN_CLASSIFICATION
        ? List.of("logits")
        : List.of("start_logits", "end_logits");
  }
}
