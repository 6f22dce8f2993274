package org.peft4j.nn;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Pass;

/**
 * A DJL block of ours. Its parameters have their shapes from the start, are frozen, and get their
 * values from a loader; inside a model, blocks call each other's typed methods with the {@link
 * Pass} at hand rather than {@code forward}.
 */
public abstract class Layer extends AbstractBlock {
  protected Layer() {
    super((byte) 1);
  }

  /** Declares a frozen parameter. */
  protected final Parameter parameter(String name, Parameter.Type type, long... shape) {
    return addParameter(
        Parameter.builder()
            .setName(name)
            .setType(type)
            .optShape(new Shape(shape))
            .optRequiresGrad(false)
            .build());
  }

  /** The block's computation on its inputs. */
  protected abstract NDList compute(Pass pass, NDList inputs);

  @Override
  protected NDList forwardInternal(
      ParameterStore store,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params) {
    return compute(Pass.of(store, training), inputs);
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType type, Shape... inputShapes) {
    for (ai.djl.nn.Block child : getChildren().values()) {
      child.initialize(manager, type, inputShapes);
    }
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return inputShapes;
  }
}
