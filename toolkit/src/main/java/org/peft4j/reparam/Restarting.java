package org.peft4j.reparam;

import org.peft4j.spi.Additive;

/** A method that starts over as its {@link Restarts} say. */
interface Restarting extends Additive {
  Restarts restarts();

  @Override
  default double learningRateFactor(long step, long total) {
    return restarts().learningRateFactor(step, total);
  }

  @Override
  default double droppedMoments(long step, long total) {
    return restarts().droppedMoments(step, total);
  }
}
