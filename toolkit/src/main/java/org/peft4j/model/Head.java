package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import java.util.List;
import org.peft4j.nn.Layer;
import org.peft4j.spi.Pass;

/**
 * From hidden states to what a {@link Task} asks for. Its children lie beside the body in the tree,
 * as Hugging Face has them.
 */
public abstract class Head extends Layer {
  /** The task's output from the hidden states {@code [batch, length, hidden]}. */
  public abstract NDArray apply(Pass pass, Body body, Inputs in, NDArray hidden);

  /** All of the task's outputs, in the order of {@link #outputNames}. */
  public NDList outputs(Pass pass, Body body, Inputs in, NDArray hidden) {
    return new NDList(apply(pass, body, in, hidden));
  }

  public abstract Task task();

  /** Names of the outputs in an exported graph. */
  public List<String> outputNames() {
    return List.of("logits");
  }

  /** Names of this head's own modules. */
  public List<String> modules() {
    return List.copyOf(
        org.peft4j.spi.Paths.blocks(this).values().stream()
            .filter(p -> !p.isEmpty() && !p.contains("."))
            .toList());
  }

  @Override
  protected NDList compute(Pass pass, NDList inputs) {
    throw new UnsupportedOperationException("a head computes as part of its model");
  }

  /** Whether it has a dropout of its own. */
  boolean drops() {
    return task() == Task.SEQUENCE_CLASSIFICATION || task() == Task.TOKEN_CLASSIFICATION;
  }
}
