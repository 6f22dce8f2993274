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

/** A learned array that is added or put in front as it is. Its path is the array's own name. */
public final class Constant extends Layer implements Slotted {
  private final Frozen frozen;

  public Constant(long... shape) {
    frozen = new Dense(parameter("", Parameter.Type.OTHER, shape), null, Operation.UNKNOWN);
  }

  /** The array, adapters included. */
  public NDArray value(Pass pass) {
    return pass.effective(frozen).weight();
  }

  @Override
  protected NDList compute(Pass pass, NDList inputs) {
    return new NDList(value(pass));
  }

  @Override
  public Kind kind() {
    return Kind.OTHER;
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
