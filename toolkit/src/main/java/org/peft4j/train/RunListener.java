package org.peft4j.train;

import java.util.List;

/**
 * Hears what a training run does: progress bars, charts, logs. Exceptions it throws end the run.
 */
public interface RunListener {
  /**
   * One update.
   *
   * @param step its number, from 1
   * @param total number of updates of the run
   * @param loss mean loss of its rows
   * @param learningRate that it used
   * @param gradientNorm of all gradients before clipping
   * @param seconds since the run began
   */
  record Step(
      long step,
      long total,
      double epoch,
      double loss,
      double learningRate,
      double gradientNorm,
      double seconds) {}

  /** An evaluation after {@code step} updates. */
  record Evaluation(long step, double epoch, Metrics metrics) {}

  /**
   * Found by the {@link java.util.ServiceLoader}: offers listeners for every run, such as a
   * progress line.
   */
  interface Provider {
    /** Listeners for one run; empty where they would not be of use. */
    List<RunListener> listeners();
  }

  default void onBegin(long totalSteps, Settings settings) {}

  default void onStep(Step step) {}

  default void onEvaluation(Evaluation evaluation) {}

  default void onEnd(Fit fit) {}
}
