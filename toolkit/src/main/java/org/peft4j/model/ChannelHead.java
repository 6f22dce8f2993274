package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import org.peft4j.nn.Group;
import org.peft4j.nn.Projection;
import org.peft4j.spi.Pass;

/**
 * The mean of every channel and one linear layer {@code classifier.1}, behind the flattening that
 * Hugging Face counts as 0: logits {@code [batch, labels]}.
 */
final class ChannelHead extends Head {
  private final Projection classifier;

  ChannelHead(int hidden, int labels) {
    classifier =
        addChildBlock("classifier", new Group())
            .child("1", new Projection(hidden, labels, true, "head"));
  }

  @Override
  public NDArray apply(Pass pass, Body body, Inputs in, NDArray hidden) {
    return classifier.apply(pass, hidden.mean(new int[] {3}).mean(new int[] {2}));
  }

  @Override
  public Task task() {
    return Task.IMAGE_CLASSIFICATION;
  }
}
