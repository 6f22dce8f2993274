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

/**
 * {@code (x - mean) / sqrt(variance + epsilon) * weight + bias} over the last axis, of size dim.
 */
public final class LayerNorm extends Layer implements Slotted {
  private final Frozen frozen;

  public LayerNorm(long dim, double epsilon) {
    this(dim, epsilon, true);
  }

  /** With or without a bias. */
  public LayerNorm(long dim, double epsilon, boolean biased) {
    Parameter weight = parameter("weight", Parameter.Type.GAMMA, dim);
    Parameter bias = biased ? parameter("bias", Parameter.Type.BETA, dim) : null;
    frozen = new Dense(weight, bias, Operation.layerNorm(epsilon));
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
