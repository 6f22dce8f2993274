package org.peft4j.adapter;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.peft4j.tensor.Seed;

/** Weighted sums of equally shaped tensors, with pruning and sign election. */
final class TaskArithmetic {
  private TaskArithmetic() {}

  static float[] apply(Combination how, List<float[]> tensors, List<Double> weights, Seed seed) {
    List<float[]> kept = new ArrayList<>();
    for (int i = 0; i < tensors.size(); i++) {
      kept.add(
          switch (how.rule()) {
            case CAT, LINEAR -> tensors.get(i);
            case TIES, MAGNITUDE_PRUNE -> largest(tensors.get(i), how.density());
            case DARE_LINEAR, DARE_TIES -> random(tensors.get(i), how.density(), seed.at(i));
          });
    }
    boolean elect = how.rule() == Combination.Rule.TIES || how.rule() == Combination.Rule.DARE_TIES;
    return elect ? elected(kept, weights, how.bySign()) : sum(kept, weights);
  }

  private static float[] sum(List<float[]> tensors, List<Double> weights) {
    float[] out = new float[tensors.get(0).length];
    for (int n = 0; n < tensors.size(); n++) {
      float w = weights.get(n).floatValue();
      for (int i = 0; i < out.length; i++) {
        out[i] += w * tensors.get(n)[i];
      }
    }
    return out;
  }

  /** Keeps the {@code floor(density n)} entries of largest magnitude; of equal ones the first. */
  private static float[] largest(float[] x, double density) {
    if (density >= 1) {
      return x;
    }
    int k = (int) (density * x.length);
    float[] magnitudes = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      magnitudes[i] = Math.abs(x[i]);
    }
    Arrays.sort(magnitudes);
    float threshold = k == 0 ? Float.POSITIVE_INFINITY : magnitudes[x.length - k];
    int above = 0;
    for (float v : x) {
      above += Math.abs(v) > threshold ? 1 : 0;
    }
    int ties = k - above;
    float[] out = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      boolean keep = Math.abs(x[i]) > threshold || (Math.abs(x[i]) == threshold && ties-- > 0);
      out[i] = keep ? x[i] : 0;
    }
    return out;
  }

  private static float[] random(float[] x, double density, Seed seed) {
    if (density >= 1) {
      return x;
    }
    float[] out = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      out[i] = seed.uniform(i) < density ? (float) (x[i] / density) : 0;
    }
    return out;
  }

  /**
   * Per entry, the mean of the weighted values whose sign is the majority's; the election is on the
   * values before weighting.
   */
  private static float[] elected(List<float[]> tensors, List<Double> weights, boolean bySign) {
    float[] out = new float[tensors.get(0).length];
    for (int i = 0; i < out.length; i++) {
      float vote = 0;
      for (float[] t : tensors) {
        vote += bySign ? Math.signum(t[i]) : t[i];
      }
      float sign = vote >= 0 ? 1 : -1;
      float sum = 0;
      int agree = 0;
      for (int n = 0; n < tensors.size(); n++) {
        if (Math.signum(tensors.get(n)[i]) == sign) {
          sum += weights.get(n).floatValue() * tensors.get(n)[i];
          agree++;
        }
      }
      out[i] = sum / Math.max(1, agree);
    }
    return out;
  }
}
