package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The plain storage: floating-point parameters as they are. */
public final class Dense implements Frozen {
  private final Parameter weight;
  private final @Nullable Parameter bias;
  private final Operation operation;

  public Dense(Parameter weight, @Nullable Parameter bias, Operation operation) {
    this.weight = weight;
    this.bias = bias;
    this.operation = operation;
  }

  @Override
  public Shape shape() {
    return weight.getShape() != null ? weight.getShape() : weight.getArray().getShape();
  }

  @Override
  public long biasSize() {
    return bias == null
        ? 0
        : bias.getShape() != null ? bias.getShape().size() : bias.getArray().size();
  }

  @Override
  public Operation operation() {
    return operation;
  }

  @Override
  public NDArray weight(Pass pass) {
    return pass.value(weight);
  }

  @Override
  public @Nullable NDArray bias(Pass pass) {
    return bias == null ? null : pass.value(bias);
  }

  @Override
  public List<Parameter> parameters() {
    return bias == null ? List.of(weight) : List.of(weight, bias);
  }
}
