package org.peft4j.spi;

import ai.djl.ndarray.NDArray;

/** How a loss changes with the weights of a model's sites, for methods that start from it. */
public interface Sensitivity {
  /** The mean gradient of the loss by the weight of {@code site}, in its shape. */
  NDArray at(Site site);
}
