package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.Layer;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Pass;

/** An architecture without its head: from tokens to hidden states. */
public abstract class Body extends Layer {
  /** Hidden states of the last layer, {@code [batch, length, hidden]}. */
  public abstract NDArray encode(Pass pass, Inputs in);

  /**
   * The architecture's own summary of a text from its hidden states, {@code [batch, hidden]}, or
   * null if it has none.
   */
  public @Nullable NDArray pool(Pass pass, NDArray hidden) {
    return null;
  }

  /**
   * The encoder's output {@code [batch, length, hidden]}, of an architecture that has a decoder.
   */
  NDArray source(Pass pass, Inputs in) {
    throw new IllegalStateException("this architecture has no decoder behind an encoder");
  }

  /** What a language model's scores {@code [..., vocabulary]} go through at last. */
  NDArray scores(NDArray logits) {
    return logits;
  }

  /** Width of the hidden states. */
  public abstract int hiddenSize();

  /** The token embeddings, for a head that is tied to them. */
  public abstract Frozen embeddings();

  /** The hidden states of a text's own tokens, without virtual ones in front of them. */
  NDArray own(Pass pass, Inputs in, NDArray hidden) {
    return pass.promptTokens() > 0 && hidden.getShape().get(1) > in.length()
        ? hidden.get(":, {}:", pass.promptTokens())
        : hidden;
  }

  /** The sizes that hooks fit their tensors to; null where they have no place to act. */
  public abstract @Nullable Anatomy anatomy();

  @Override
  protected NDList compute(Pass pass, NDList inputs) {
    throw new UnsupportedOperationException("a body computes as part of its model");
  }
}
