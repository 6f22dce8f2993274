package org.peft4j.cli;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import org.peft4j.tensor.AdamWStep;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.CrossEntropy;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/**
 * Multinomial logistic regression on standardised features: mean cross entropy plus {@code penalty
 * / 2 * ||W||^2}, minimised on all rows at once by Adam with a falling step. The problem is convex,
 * so where it ends does not depend on where it starts.
 */
final class LogisticRegression {
  private static final int STEPS = 300;
  private static final double RATE = 0.05;

  private final float[] mean;
  private final float[] scale;
  private final float[] weight; // [classes, features]
  private final float[] bias;
  private final int classes;

  private LogisticRegression(
      float[] mean, float[] scale, float[] weight, float[] bias, int classes) {
    this.mean = mean;
    this.scale = scale;
    this.weight = weight;
    this.bias = bias;
    this.classes = classes;
  }

  static LogisticRegression fit(float[][] features, long[] labels, int classes, double penalty) {
    int n = features.length;
    int d = features[0].length;
    float[] mean = new float[d];
    float[] scale = new float[d];
    standardise(features, mean, scale);
    try (Scope scope = Scope.open();
        NDManager manager = Torch.newManager()) {
      float[] flat = new float[n * d];
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < d; j++) {
          flat[i * d + j] = (features[i][j] - mean[j]) * scale[j];
        }
      }
      NDArray x = Buffers.create(manager, flat, new Shape(n, d));
      NDArray y = Buffers.create(manager, labels, new Shape(n));
      NDArray[] p = {manager.zeros(new Shape(classes, d)), manager.zeros(new Shape(classes))};
      NDArray[] m = {manager.zeros(new Shape(classes, d)), manager.zeros(new Shape(classes))};
      NDArray[] v = {manager.zeros(new Shape(classes, d)), manager.zeros(new Shape(classes))};
      for (int step = 1; step <= STEPS; step++) {
        step(x, y, p, m, v, penalty, step);
      }
      return new LogisticRegression(mean, scale, p[0].toFloatArray(), p[1].toFloatArray(), classes);
    }
  }

  private static void step(
      NDArray x, NDArray y, NDArray[] p, NDArray[] m, NDArray[] v, double penalty, int step) {
    try (Scope scope = Scope.open()) {
      for (NDArray a : p) {
        a.setRequiresGradient(true);
      }
      try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        NDArray logits = x.getNDArrayInternal().linear(x, p[0], p[1]).singletonOrThrow();
        NDArray loss =
            CrossEntropy.mean(logits, y).add(Scalars.mul(p[0].square().sum(), penalty / 2));
        collector.backward(loss);
      }
      double rate = RATE * 0.5 * (1 + Math.cos(Math.PI * step / STEPS));
      Torch.inference(
          () -> {
            for (int i = 0; i < p.length; i++) {
              NDArray g = p[i].getGradient();
              AdamWStep.apply(p[i], g, m[i], v[i], step, rate, 0.9, 0.999, 1e-8, 0);
              g.muli(0);
              p[i].setRequiresGradient(false);
            }
            return step;
          });
    }
  }

  private static void standardise(float[][] x, float[] mean, float[] scale) {
    for (int j = 0; j < mean.length; j++) {
      double sum = 0;
      double squares = 0;
      for (float[] row : x) {
        sum += row[j];
        squares += (double) row[j] * row[j];
      }
      double mu = sum / x.length;
      mean[j] = (float) mu;
      scale[j] = (float) (1 / Math.sqrt(Math.max(1e-12, squares / x.length - mu * mu)));
    }
  }

  /** Scores of the classes for each row. */
  float[][] logits(float[][] features) {
    float[][] out = new float[features.length][classes];
    int d = mean.length;
    for (int i = 0; i < features.length; i++) {
      for (int c = 0; c < classes; c++) {
        double s = bias[c];
        for (int j = 0; j < d; j++) {
          s += weight[c * d + j] * (features[i][j] - mean[j]) * scale[j];
        }
        out[i][c] = (float) s;
      }
    }
    return out;
  }

  /** Number of parameters. */
  long parameters() {
    return weight.length + (long) bias.length;
  }
}
