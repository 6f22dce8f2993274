package org.peft4j.nn;

import java.util.function.Supplier;
import org.peft4j.spi.KeysValues;

/**
 * The keys and values of the tokens that a model has read, layer by layer, so that the next token
 * costs one row instead of all. Virtual tokens of adapters count as tokens.
 */
public interface KvCache {
  /** Number of tokens it holds. */
  long length();

  /**
   * Adds a layer's keys and values of new tokens, {@code [batch, heads, tokens, head size]}, and
   * gives those of all.
   */
  KeysValues append(int layer, KeysValues kv);

  /**
   * Keys and values that do not change from step to step, such as those of an encoder's output:
   * made at the first step, known from then on.
   */
  KeysValues once(String name, Supplier<KeysValues> make);

  /** A second cache, for another pass over the same texts, whose rows go with those of this one. */
  default KvCache beside() {
    throw new UnsupportedOperationException("this cache is for one pass over its texts");
  }
}
