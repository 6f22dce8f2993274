package org.peft4j.spi;

import ai.djl.ndarray.NDArray;

/** Keys and values of an attention layer, each {@code [batch, heads, tokens, head size]}. */
public record KeysValues(NDArray keys, NDArray values) {
  /** These with {@code more} behind them. */
  public KeysValues then(KeysValues more) {
    return new KeysValues(keys.concat(more.keys, 2), values.concat(more.values, 2));
  }
}
