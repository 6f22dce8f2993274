package org.peft4j.text;

/** An end of a row of tokens: where padding is added, or where a text that is too long is cut. */
public enum Side {
  /** The beginning. Causal language models that generate are padded here. */
  LEFT,
  /** The end. Encoders are padded here. */
  RIGHT
}
