package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import org.peft4j.nn.Projection;
import org.peft4j.spi.Pass;

/** Scores of the next token, by a linear layer {@code lm_head} or by the tied token embeddings. */
final class CausalHead extends Head {
  private final Projection projection;

  /** The head of {@code body}, with a weight of its own or tied to the token embeddings. */
  CausalHead(Body body, int vocabulary, boolean tied) {
    Projection p =
        tied
            ? Projection.tied(body.embeddings(), "head")
            : new Projection(body.hiddenSize(), vocabulary, false, "head");
    projection = addChildBlock("lm_head", p);
  }

  @Override
  public NDArray apply(Pass pass, Body body, Inputs in, NDArray hidden) {
    return body.scores(projection.apply(pass, hidden));
  }

  @Override
  public Task task() {
    return Task.CAUSAL_LM;
  }
}
