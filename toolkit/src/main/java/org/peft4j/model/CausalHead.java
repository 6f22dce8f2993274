package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.Projection;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Pass;

/** Scores of the next token, by a linear layer {@code lm_head} or by the tied token embeddings. */
final class CausalHead extends Head {
  private final @Nullable Projection projection;

  CausalHead(int hidden, int vocabulary, boolean tied) {
    projection = tied ? null : addChildBlock("lm_head", new Projection(hidden, vocabulary, false, "head"));
  }

  @Override
  public NDArray apply(Pass pass, Body body, Inputs in, NDArray hidden) {
    return projection != null
        ? projection.apply(pass, hidden)
        : Operation.LINEAR.apply(hidden, pass.effective(body.embeddings()).weight(), null);
  }

  @Override
  public Task task() {
    return Task.CAUSAL_LM;
  }
}
