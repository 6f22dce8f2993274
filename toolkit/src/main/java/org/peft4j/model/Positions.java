package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.util.PairList;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Operation;

/**
 * A wish that a causal language model should score the next token at some positions only, handed to
 * {@code Block.forward} as its parameters. Its head, whose output is as wide as the vocabulary,
 * then runs on those alone: logits {@code [positions, vocabulary]}. A block that does not know the
 * wish answers for all positions.
 */
public final class Positions {
  private static final String KEY = "positions";

  private Positions() {}

  /**
   * The wish.
   *
   * @param flat int64 {@code [n]}: {@code row * length + position}
   */
  public static PairList<String, Object> of(NDArray flat) {
    PairList<String, Object> parameters = new PairList<>();
    parameters.add(KEY, flat);
    return parameters;
  }

  /** The positions wished for, if any are. */
  static @Nullable NDArray in(@Nullable PairList<String, Object> parameters) {
    return parameters != null && parameters.contains(KEY) ? (NDArray) parameters.get(KEY) : null;
  }

  /** Rows of x {@code [batch, length, width]} at these positions: {@code [n, width]}. */
  public static NDArray rows(NDArray x, NDArray flat) {
    NDArray all = x.reshape(-1, x.getShape().get(2));
    return Operation.EMBEDDING.apply(flat, all, null);
  }
}
