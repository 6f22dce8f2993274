package org.peft4j.cli;

import java.io.IOException;

/**
 * A small task for a method that one classification of short texts cannot show: it says what the
 * method is for, and how far that goes with it and without.
 */
interface OwnTask {
  /** Name of the line, such as {@code longlora}. */
  String method();

  /** What is to be done, in a sentence. */
  String description();

  /** Whether the task that all have in common cannot show the method at all. */
  boolean isInstead();

  /** Share of right answers on the held-out rows of this seed without the method, 0 to 1. */
  double without(int seed) throws IOException;

  /**
   * Trains with the method.
   *
   * @param heldOut whether the held-out rows are scored rather than the validation rows
   */
  Comparison.Run with(double rate, int seed, boolean heldOut) throws IOException;

  /** A few steps, for whoever measures what they cost. */
  Cost.Steps someSteps() throws IOException;
}
