package org.peft4j.notebook;

import java.util.List;
import org.peft4j.train.RunListener;

/** The losses of a run: each, and smoothed by an exponential mean; thinned to what one can see. */
record LossCurve(double[] steps, double[] losses, double[] smooth) {
  private static final int MOST = 400;

  static LossCurve of(List<RunListener.Step> steps) {
    int every = Math.max(1, (steps.size() + MOST - 1) / MOST);
    int n = steps.isEmpty() ? 0 : (steps.size() - 1) / every + 1;
    double[] x = new double[n];
    double[] raw = new double[n];
    double[] smooth = new double[n];
    double decay = Math.max(0, 1 - 20.0 / Math.max(20, steps.size()));
    double mean = 0;
    double weight = 0;
    for (int i = 0; i < steps.size(); i++) {
      RunListener.Step s = steps.get(i);
      mean = decay * mean + (1 - decay) * s.loss();
      weight = decay * weight + (1 - decay);
      if (i % every == 0) {
        x[i / every] = s.step();
        raw[i / every] = s.loss();
        smooth[i / every] = mean / weight;
      }
    }
    return new LossCurve(x, raw, smooth);
  }

  LineChart on(LineChart chart, String name) {
    return chart.faint(steps, losses).line(name, steps, smooth);
  }
}
