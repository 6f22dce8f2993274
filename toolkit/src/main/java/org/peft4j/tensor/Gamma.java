package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;

/**
 * The logarithm of the gamma function and its derivative, element by element for numbers above 0,
 * with gradients. By Stirling's series behind six steps of the recurrence, exact to about 1e-9.
 */
public final class Gamma {
  private static final int STEPS = 6;

  private Gamma() {}

  /** {@code ln Gamma(x)}. */
  public static NDArray log(NDArray x) {
    NDArray y = plus(x, STEPS);
    NDArray inverse = inverse(y);
    NDArray square = inverse.square();
    NDArray third = plus(Scalars.mul(square, 1.0 / 1260), -1.0 / 360).mul(square);
    NDArray series = plus(third, 1.0 / 12).mul(inverse);
    NDArray main = plus(plus(y, -0.5).mul(y.log()).sub(y), 0.5 * Math.log(2 * Math.PI));
    NDArray sum = main.add(series);
    for (int i = 0; i < STEPS; i++) {
      sum = sum.sub(plus(x, i).log());
    }
    return sum;
  }

  /** {@code d ln Gamma(x) / dx}. */
  public static NDArray digamma(NDArray x) {
    NDArray y = plus(x, STEPS);
    NDArray inverse = inverse(y);
    NDArray square = inverse.square();
    NDArray third = plus(Scalars.mul(square, -1.0 / 252), 1.0 / 120).mul(square);
    NDArray series = plus(third, -1.0 / 12).mul(square);
    NDArray sum = y.log().sub(Scalars.mul(inverse, 0.5)).add(series);
    for (int i = 0; i < STEPS; i++) {
      sum = sum.sub(inverse(plus(x, i)));
    }
    return sum;
  }

  private static NDArray plus(NDArray x, double value) {
    return x.add(Scalars.of(x, value));
  }

  private static NDArray inverse(NDArray x) {
    return Scalars.of(x, 1).div(x);
  }
}
