package org.peft4j.spi;

/** What a site does with its weight. */
public enum Kind {
  /** {@code y = x W^T + b}, W {@code [out, in]}. */
  LINEAR,
  /** Convolution, W {@code [out, in / groups, k...]}. */
  CONV,
  /** Rows looked up by id, W {@code [vocabulary, dim]}. */
  EMBEDDING,
  /** Normalisation with a gain (its weight) and a shift (its bias), both {@code [dim]}. */
  NORM,
  /** A stack of linear maps, W {@code [experts, out, in]}. */
  EXPERTS,
  /** Any other parameter of a foreign block; only its weight form exists. */
  OTHER
}
