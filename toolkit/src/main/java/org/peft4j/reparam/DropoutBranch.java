package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;

/** A sum with dropout, in training, on what its branch takes in. */
interface DropoutBranch extends Additive, Keyed {
  /** Probability on the input of the branch, in [0, 1). */
  double dropout();

  @Override
  default NDArray branch(At at, NDArray x) {
    return at.map(at.dropout(dropout(), x), delta(at), biasDelta(at));
  }
}
