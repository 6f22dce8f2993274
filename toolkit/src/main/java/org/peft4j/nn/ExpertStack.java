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

/** The same linear map of every expert, W {@code [experts, out, in]}. Its path is the array's. */
final class ExpertStack extends Layer implements Slotted {
  private final Frozen frozen;

  ExpertStack(long experts, long out, long in) {
    frozen =
        new Dense(parameter("", Parameter.Type.WEIGHT, experts, out, in), null, Operation.EXPERTS);
  }

  /** The array, adapters included. */
  NDArray weight(Pass pass) {
    return pass.effective(frozen).weight();
  }

  @Override
  protected NDList compute(Pass pass, NDList inputs) {
    return new NDList(weight(pass));
  }

  @Override
  public Kind kind() {
    return Kind.EXPERTS;
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
