package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;

/** A way to keep the frozen weight of a linear map. */
public interface Storage {
  /** The name that users type, such as {@code nf4}. */
  String name();

  /** Memory per weight in bits, constants included. */
  double bits();

  /**
   * Keeps {@code weight} this way.
   *
   * @param like the site's storage so far, whose operation and bias the new one has
   * @param weight dense float32 {@code [out, in]}
   * @param owner gets what is stored
   */
  Frozen store(Frozen like, NDArray weight, NDManager owner);
}
