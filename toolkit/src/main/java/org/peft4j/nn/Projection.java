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

/** {@code y = x W^T + b}: x {@code [..., in]}, W {@code [out, in]}, b {@code [out]} or none. */
public final class Projection extends Layer implements Slotted {
  private final @Nullable String role;
  private final Frozen frozen;
  private final @Nullable Frozen tiedTo;

  /** A projection that plays {@code role} ({@code q k v o gate up down fc1 fc2 head}), or none. */
  public Projection(long in, long out, boolean bias, @Nullable String role) {
    this.role = role;
    Parameter weight = parameter("weight", Parameter.Type.WEIGHT, out, in);
    frozen =
        new Dense(
            weight, bias ? parameter("bias", Parameter.Type.BIAS, out) : null, Operation.LINEAR);
    tiedTo = null;
  }

  private Projection(Frozen other, @Nullable String role) {
    this.role = role;
    this.tiedTo = other;
    Parameter shared = addParameter(other.parameters().get(0));
    frozen = new Dense(shared, null, Operation.LINEAR);
  }

  /**
   * A projection without bias whose weight is the tensor of {@code other}, such as the token
   * embeddings {@code [vocabulary, hidden]}.
   */
  public static Projection tied(Frozen other, @Nullable String role) {
    return new Projection(other, role);
  }

  @Override
  public @Nullable Frozen tiedTo() {
    return tiedTo;
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
    return Kind.LINEAR;
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
    Shape s = in[0];
    return new Shape[] {s.slice(0, s.dimension() - 1).add(frozen.shape().get(0))};
  }
}
