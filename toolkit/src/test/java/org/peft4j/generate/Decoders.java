package org.peft4j.generate;

import ai.djl.nn.Block;

/** What reads texts in tests of other packages. */
public final class Decoders {
  private Decoders() {}

  /** Causal models. */
  public static Decoder.Start of(Block model) {
    return (prompts, pad) -> Decoding.continuing(model, prompts, pad);
  }

  /** Models with an encoder, whose decoder begins with {@code start}. */
  public static Decoder.Start answering(Block model, long start) {
    return (prompts, pad) -> Decoding.answering(model, prompts, pad, start);
  }
}
