package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A frozen weight with its bias, whatever its storage. The object is also the key under which a
 * {@link Pass} finds what is attached to it.
 */
public interface Frozen {
  /** Shape of the dense weight, in PyTorch's layout. */
  Shape shape();

  /** Length of the bias; 0 where there is none. */
  long biasSize();

  /** How the model uses it. */
  Operation operation();

  /** The dense weight W0: the stored array itself where the storage is dense, else decoded. */
  NDArray weight(Pass pass);

  /** The bias b0, or null. */
  @Nullable NDArray bias(Pass pass);

  /**
   * What the site computes with W0 and the given bias, without decoding W0 where the storage can.
   */
  default NDArray apply(Pass pass, NDArray x, @Nullable NDArray bias) {
    return operation().apply(x, weight(pass), bias);
  }

  /**
   * The parameters it is stored in, for saving and looking it up in a foreign block; the first is
   * the weight's, or the largest part of it.
   */
  List<Parameter> parameters();

  /** The parameter of the bias, or null. */
  @Nullable Parameter biasParameter();
}
