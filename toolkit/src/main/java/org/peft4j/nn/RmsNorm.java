package org.peft4j.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Parameter;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Slotted;
import org.peft4j.tensor.RootMeanSquare;

/**
 * {@code x / sqrt(mean(x^2) + epsilon) * weight} over the last axis, of size dim (arXiv
 * 1910.07467).
 */
public final class RmsNorm extends Layer implements Slotted {
  private final Frozen frozen;
  private final double epsilon;

  public RmsNorm(long dim, double epsilon) {
    this(Parameter.Type.GAMMA, dim, epsilon, false);
  }

  private RmsNorm(Parameter.Type type, long dim, double epsilon, boolean fromOne) {
    frozen = new Dense(parameter("weight", type, dim), null, operation(epsilon, fromOne));
    this.epsilon = epsilon;
  }

  /** {@code x / sqrt(mean(x^2) + epsilon) * (1 + weight)}, whose weight 0 changes nothing. */
  public static RmsNorm fromOne(long dim, double epsilon) {
    return new RmsNorm(Parameter.Type.BETA, dim, epsilon, true);
  }

  private static Operation operation(double epsilon, boolean fromOne) {
    return new Operation() {
      @Override
      public NDArray apply(NDArray x, NDArray weight, @Nullable NDArray bias) {
        return RootMeanSquare.normalize(x, fromOne ? weight.add(1) : weight, epsilon);
      }

      @Override
      public NDArray mix(NDArray h, NDArray m) {
        throw new UnsupportedOperationException("a normalisation has no low-rank factor");
      }
    };
  }

  /** What is added to the mean of squares. */
  public double epsilon() {
    return epsilon;
  }

  public NDArray apply(Pass pass, NDArray x) {
    return pass.apply(frozen, x);
  }

  @Override
  protected NDList compute(Pass pass, NDList inputs) {
    return new NDList(apply(pass, inputs.singletonOrThrow()));
  }

  @Override
  public Kind kind() {
    return Kind.NORM;
  }

  @Override
  public @Nullable String role() {
    return null;
  }

  @Override
  public Frozen frozen() {
    return frozen;
  }
}
