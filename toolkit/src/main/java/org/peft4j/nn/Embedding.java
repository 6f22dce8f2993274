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

/** Rows of a table W {@code [entries, dim]} at integer ids {@code [...]}: {@code [..., dim]}. */
public final class Embedding extends Layer implements Slotted {
  private final @Nullable String role;
  private final Frozen frozen;

  public Embedding(long entries, long dim, @Nullable String role) {
    this.role = role;
    frozen =
        new Dense(
            parameter("weight", Parameter.Type.WEIGHT, entries, dim), null, Operation.EMBEDDING);
  }

  public NDArray apply(Pass pass, NDArray ids) {
    return pass.apply(frozen, ids);
  }

  @Override
  protected NDList compute(Pass pass, NDList inputs) {
    return new NDList(apply(pass, inputs.singletonOrThrow()));
  }

  @Override
  public Kind kind() {
    return Kind.EMBEDDING;
  }

  @Override
  public @Nullable String role() {
    return role;
  }

  @Override
  public Frozen frozen() {
    return frozen;
  }

  @Override
  public Shape[] getOutputShapes(Shape[] in) {
    return new Shape[] {in[0].add(frozen.shape().get(1))};
  }
}
