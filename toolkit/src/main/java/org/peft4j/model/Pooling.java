package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Locale;
import org.peft4j.spi.Pass;

/** How the hidden states of a text become one vector. */
public enum Pooling {
  /** The architecture's own: for BERT, a dense layer and tanh on the first token. */
  OWN,
  /** Mean over the tokens that are not padding, as sentence embedding models do. */
  MEAN,
  /** The first token. */
  CLS;

  /** {@code [batch, hidden]} from {@code [batch, length, hidden]}. */
  NDArray apply(Pass pass, Body body, Inputs in, NDArray hidden) {
    return switch (this) {
      case MEAN -> {
        if (in.get("input_ids") == null) {
          yield hidden.mean(new int[] {1}); // no part of an image is padding
        }
        NDArray given = in.mask() == null ? in.ids().onesLike() : in.mask();
        NDArray mask = given.toType(DataType.FLOAT32, false).expandDims(2);
        long virtual = pass.promptTokens();
        if (virtual > 0) {
          Shape front = new Shape(given.getShape().get(0), virtual, 1);
          mask = given.getManager().ones(front, DataType.FLOAT32).concat(mask, 1);
        }
        NDArray sum = hidden.mul(mask).sum(new int[] {1});
        yield sum.div(
            mask.sum(new int[] {1})
                .clip(1e-9f, Float.MAX_VALUE)); // a text without tokens pools to zeros
      }
      case CLS -> hidden.get(":, 0");
      case OWN -> {
        NDArray pooled = body.pool(pass, hidden);
        if (pooled == null) {
          throw new IllegalStateException(
              "this architecture has no pooling of its own; use MEAN or CLS");
        }
        yield pooled;
      }
    };
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
