package org.peft4j.train;

import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What a training run did.
 *
 * @param seconds in all
 * @param ending why it ended
 * @param bestStep the evaluation whose weights are best, or 0 without evaluations
 */
public record Fit(
    List<RunListener.Step> steps,
    List<RunListener.Evaluation> evaluations,
    double seconds,
    Ending ending,
    long bestStep) {

  /** Why a run ended. */
  public enum Ending {
    /** All epochs were gone through. */
    COMPLETE,
    /** The evaluations stopped improving. */
    NO_IMPROVEMENT,
    /** The thread was interrupted. */
    INTERRUPTED
  }

  public Fit {
    steps = List.copyOf(steps);
    evaluations = List.copyOf(evaluations);
  }

  /** Loss of the last updates: the mean over the last tenth of the run. */
  public double finalLoss() {
    int from = steps.size() - Math.max(1, steps.size() / 10);
    return steps.subList(from, steps.size()).stream()
        .mapToDouble(RunListener.Step::loss)
        .average()
        .orElse(Double.NaN);
  }

  /** The last evaluation, or null. */
  public RunListener.@Nullable Evaluation lastEvaluation() {
    return evaluations.isEmpty() ? null : evaluations.get(evaluations.size() - 1);
  }

  @Override
  public String toString() {
    StringBuilder s = new StringBuilder();
    s.append(String.format(Locale.ROOT, "%,d steps in %.1f s", steps.size(), seconds));
    if (!steps.isEmpty()) {
      s.append(String.format(Locale.ROOT, ", loss %.4f -> %.4f", steps.get(0).loss(), finalLoss()));
    }
    if (ending != Ending.COMPLETE) {
      s.append(ending == Ending.INTERRUPTED ? ", interrupted" : ", stopped: no improvement");
    }
    for (RunListener.Evaluation e : evaluations) {
      s.append(
          String.format(
              Locale.ROOT,
              "%n  after step %,d: %s%s",
              e.step(),
              e.metrics(),
              e.step() == bestStep ? " (best)" : ""));
    }
    return s.toString();
  }
}
