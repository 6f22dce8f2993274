package org.peft4j.generate;

import ai.djl.nn.Block;

/**
 * A batch of texts being written: reads their prompts once, then one token per text and step, and
 * scores what comes next.
 */
public interface Decoder extends AutoCloseable {
  /**
   * Reads what texts begin with.
   *
   * @return scores of the first new token, {@code [rows][vocabulary]}
   */
  float[][] begin();

  /**
   * Reads new tokens.
   *
   * @param ids {@code [rows][n]}
   * @return scores of the token after the last, {@code [rows][vocabulary]}
   */
  float[][] read(long[][] ids);

  /** Goes on with these rows, in this order; a row may be taken several times. */
  void select(long[] chosen);

  @Override
  void close();

  /**
   * A batch of texts that a model writes.
   *
   * @param model a causal language model, or one with adapters
   * @param prompts token ids, of any lengths
   * @param pad the token that fills shorter ones
   */
  static Decoder of(Block model, long[][] prompts, long pad) {
    return Decoding.continuing(model, prompts, pad);
  }

  /** Begins batches of texts. */
  @FunctionalInterface
  interface Start {
    /**
     * A batch of texts.
     *
     * @param prompts token ids, of any lengths; of a model with an encoder, what is to be answered
     * @param pad the token that fills shorter ones
     */
    Decoder of(long[][] prompts, long pad);
  }
}
