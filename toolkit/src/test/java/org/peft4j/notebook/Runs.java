package org.peft4j.notebook;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.peft4j.train.Fit;
import org.peft4j.train.Metrics;
import org.peft4j.train.RunListener.Evaluation;
import org.peft4j.train.RunListener.Step;

/** Training runs that nobody has to wait for. */
final class Runs {
  private Runs() {}

  static Step step(int i, int total) {
    return new Step(i, total, (double) i / total, 3 * Math.exp(-3.0 * i / total), 1e-3, 1, i * 0.1);
  }

  static Fit fit(int steps) {
    List<Step> all = new ArrayList<>();
    for (int i = 1; i <= steps; i++) {
      all.add(step(i, steps));
    }
    Metrics metrics = new Metrics(Map.of("accuracy", 0.75), 100, true);
    return new Fit(
        all, List.of(new Evaluation(steps, 1, metrics)), steps * 0.1, Fit.Ending.COMPLETE, steps);
  }
}
