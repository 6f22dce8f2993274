package org.peft4j.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Slotted;

/**
 * Convolution of x {@code [batch, in, height, width]}: W {@code [out, in, kernel height, kernel
 * width]}, b {@code [out]} or none.
 */
public final class Convolution extends Layer implements Slotted {
  private final Frozen frozen;

  /** With a bias, without padding. */
  public Convolution(long in, long out, Shape kernel, Shape stride) {
    this(in, out, kernel, stride, new Shape(0, 0), true);
  }

  public Convolution(long in, long out, Shape kernel, Shape stride, Shape padding, boolean biased) {
    Parameter weight =
        parameter("weight", Parameter.Type.WEIGHT, out, in, kernel.get(0), kernel.get(1));
    frozen =
        new Dense(
            weight,
            biased ? parameter("bias", Parameter.Type.BIAS, out) : null,
            Operation.convolution(stride, padding, new Shape(1, 1), 1));
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
    return Kind.CONV;
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
