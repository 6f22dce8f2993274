package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import java.util.List;
import org.peft4j.spi.Pass;

/** Pooling alone: one vector {@code [batch, hidden]} per text. */
final class EmbeddingHead extends Head {
  private final Pooling pooling;

  EmbeddingHead(Pooling pooling) {
    this.pooling = pooling;
  }

  @Override
  public NDArray apply(Pass pass, Body body, Inputs in, NDArray hidden) {
    return pooling.apply(pass, body, in, hidden);
  }

  @Override
  public Task task() {
    return Task.FEATURES;
  }

  @Override
  public List<String> outputNames() {
    return List.of("sentence_embedding");
  }
}
