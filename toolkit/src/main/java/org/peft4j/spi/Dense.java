package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDArray;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.tensor.Bfloat16;
import org.peft4j.tensor.HalfProduct;

/**
 * The plain storage: floating-point parameters as they are, or the weight of a linear map or a
 * table in {@link Bfloat16}, decoded for each use.
 */
public final class Dense implements Frozen {
  private final Parameter weight;
  private final @Nullable Parameter bias;
  private final Operation operation;
  private volatile @Nullable HalfProduct half;

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
    NDArray stored = stored(pass);
    return Bfloat16.is(stored) ? Bfloat16.decode(stored) : stored;
  }

  @Override
  public NDArray apply(Pass pass, NDArray x, @Nullable NDArray bias) {
    NDArray stored = stored(pass);
    if (!Bfloat16.is(stored)) {
      return operation.apply(x, stored, bias);
    }
    if (operation == Operation.EMBEDDING) {
      return Bfloat16.rows(stored, x);
    }
    HalfProduct copy = half;
    NDArray y =
        copy != null && copy.isOf(stored) && !x.hasGradient()
            ? copy.linear(x)
            : Bfloat16.linear(x, stored);
    return bias == null ? y : y.add(bias);
  }

  /**
   * Keeps a copy of the bfloat16 weight of a linear map, for products without gradients that take
   * less time, unless there is one; freed with {@code owner}.
   *
   * @return whether it is such a weight
   */
  public boolean prepack(NDManager owner) {
    NDArray stored = weight.getArray();
    if (operation != Operation.LINEAR || !Bfloat16.is(stored)) {
      return false;
    }
    if (prepacked() == null) {
      half = HalfProduct.of(owner, stored);
    }
    return true;
  }

  /** The copy for fast products; null where there is none of the weight as it is now. */
  public @Nullable HalfProduct prepacked() {
    HalfProduct copy = half;
    return copy != null && copy.isOf(weight.getArray()) ? copy : null;
  }

  private NDArray stored(Pass pass) {
    NDArray value = pass.value(weight);
    if (!(value instanceof PtNDArray) && Bfloat16.is(value)) {
      throw new IllegalStateException(
          "a model in bfloat16 cannot be traced\nfix: load it in float32 to export it");
    }
    return value;
  }

  @Override
  public @Nullable NDArray bias(Pass pass) {
    return bias == null ? null : pass.value(bias);
  }

  @Override
  public List<Parameter> parameters() {
    return bias == null ? List.of(weight) : List.of(weight, bias);
  }

  @Override
  public @Nullable Parameter biasParameter() {
    return bias;
  }
}
