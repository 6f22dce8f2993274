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

  public RmsNorm(long dim, double epsilon) {
    frozen = new Dense(parameter("weight", Parameter.Type.GAMMA, dim), null, operation(epsilon));
  }

  private static Operation operation(double epsilon) {
    return new Operation() {
      @Override
      public NDArray apply(NDArray x, NDArray weight, @Nullable NDArray bias) {
        return RootMeanSquare.normalize(x, weight, epsilon);
      }

      @Override
      public NDArray mix(NDArray h, NDArray m) {
        throw new UnsupportedOperationException("a normalisation has no low-rank factor");
      }
    };
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
