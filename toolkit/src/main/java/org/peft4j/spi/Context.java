package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What a forward pass works on, as hooks see it.
 *
 * @param ids the new tokens, int64 {@code [batch, length]}
 * @param mask 1 at tokens and 0 at padding, {@code [batch, earlier tokens + length]}, or null where
 *     there is no padding
 * @param positions of the new tokens, int64 {@code [batch, length]}, where somebody gave them
 * @param past number of keys that a cache holds already; 0 at the start of a text
 * @param memory what is kept of the texts from their start on
 */
public record Context(
    NDArray ids, @Nullable NDArray mask, @Nullable NDArray positions, long past, Memory memory) {
  /** Keeps what is known of texts beside their keys and values, row by row. */
  @FunctionalInterface
  public interface Memory {
    /**
     * What {@code make} gave at the start of the texts; made now where nothing is kept.
     *
     * @param make one number for every text, float32 {@code [batch, 1]}
     */
    NDArray once(String name, Supplier<NDArray> make);
  }

  /** Of texts that are read at once. */
  public Context(NDArray ids, @Nullable NDArray mask, @Nullable NDArray positions) {
    this(ids, mask, positions, 0, (name, make) -> make.get());
  }

  /** Whether the text starts here, so that virtual tokens go in front of it. */
  public boolean start() {
    return past == 0;
  }
}
