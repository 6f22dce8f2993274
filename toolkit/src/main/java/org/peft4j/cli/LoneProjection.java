package org.peft4j.cli;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Slotted;

/** A frozen linear map, whatever it is kept as, as a block that methods can act on. */
final class LoneProjection extends AbstractBlock implements Slotted {
  private final Frozen frozen;

  LoneProjection(Frozen frozen) {
    super((byte) 1);
    this.frozen = frozen;
    for (Parameter p : frozen.parameters()) {
      addParameter(p);
    }
  }

  @Override
  public Kind kind() {
    return Kind.LINEAR;
  }

  @Override
  public @Nullable String role() {
    return null;
  }

  @Override
  public Frozen frozen() {
    return frozen;
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore store,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params) {
    return new NDList(Pass.of(store, training).apply(frozen, inputs.singletonOrThrow()));
  }

  @Override
  public Shape[] getOutputShapes(Shape[] in) {
    return in;
  }
}
