package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.tensor.Seed;

/** A block whose forward is a lambda that looks parameters up by name. */
public final class TestBlock extends AbstractBlock {
  /** The parameters and children, by name, during one forward. */
  public interface Parts {
    NDArray parameter(String name);

    NDArray child(String name, NDArray x);
  }

  public interface Forward {
    NDList apply(Parts parts, NDList inputs, boolean training);
  }

  private final Map<String, Parameter> own = new LinkedHashMap<>();
  private final Map<String, Block> named = new LinkedHashMap<>();
  private final Forward forward;

  public TestBlock(Forward forward) {
    this.forward = forward;
  }

  /** A float32 parameter of small normal numbers. */
  public TestBlock with(NDManager manager, String name, long... shape) {
    return with(name, Seed.of(5).at(name).normal(manager, new Shape(shape), 0.3));
  }

  public TestBlock with(String name, NDArray array) {
    Parameter p =
        addParameter(
            Parameter.builder()
                .setName(name)
                .setType(Parameter.Type.OTHER)
                .optArray(array)
                .build());
    own.put(name, p);
    return this;
  }

  public TestBlock with(String name, Block child) {
    named.put(name, addChildBlock(name, child));
    return this;
  }

  Parameter parameter(String name) {
    return own.get(name);
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore store,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params) {
    Parts parts =
        new Parts() {
          @Override
          public NDArray parameter(String name) {
            return store.getValue(own.get(name), inputs.head().getDevice(), training);
          }

          @Override
          public NDArray child(String name, NDArray x) {
            return named.get(name).forward(store, new NDList(x), training).head();
          }
        };
    return forward.apply(parts, inputs, training);
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputs) {
    return inputs;
  }

  @Override
  public void initializeChildBlocks(NDManager manager, DataType type, Shape... inputs) {}
}
