package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import java.util.function.UnaryOperator;

/**
 * What a sublayer (attention, feed-forward) gives and what it is added to: the model goes on with
 * {@code norm(output + residual)}.
 *
 * @param output {@code [batch, length, hidden]}
 * @param residual the sublayer's input, same shape
 * @param norm the normalisation behind the sum; the identity in models that normalise in front
 */
public record Sublayer(NDArray output, NDArray residual, UnaryOperator<NDArray> norm) {
  /** A sublayer of a model that normalises in front. */
  public Sublayer(NDArray output, NDArray residual) {
    this(output, residual, UnaryOperator.identity());
  }

  /** What the model goes on with where nothing acts. */
  public NDArray sum() {
    return norm.apply(output.add(residual));
  }
}
