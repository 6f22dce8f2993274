package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import org.jspecify.annotations.Nullable;

/**
 * What a forward pass works on, as hooks see it.
 *
 * @param ids the new tokens, int64 {@code [batch, length]}
 * @param mask 1 at tokens and 0 at padding, {@code [batch, earlier tokens + length]}, or null where
 *     there is no padding
 * @param past number of keys that a cache holds already; 0 at the start of a text
 */
public record Context(NDArray ids, @Nullable NDArray mask, long past) {
  /** Whether the text starts here, so that virtual tokens go in front of it. */
  public boolean start() {
    return past == 0;
  }
}
