package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.function.Supplier;
import org.peft4j.tensor.Seed;

/** How a tensor of a method gets its first value. */
@FunctionalInterface
public interface Init {
  /** Makes the value, or names an array that has it; the caller copies it. */
  NDArray make(Context context, Shape shape);

  /** What an initialiser may look at. */
  interface Context {
    NDManager manager();

    /** Randomness for this tensor at this site. */
    Seed seed();

    /** The frozen weight at this site, dense. */
    NDArray w0();

    /** The frozen bias at this site. */
    NDArray b0();

    /** A tensor that all sites share, which its adapter has already. */
    default NDArray shared(String name) {
      throw new IllegalStateException("no shared tensor '" + name + "' here");
    }

    /** Computes once per site what several tensors need, such as a decomposition of W0. */
    <T> T once(String name, Supplier<T> value);
  }

  Init ZEROS = (c, shape) -> c.manager().zeros(shape, DataType.FLOAT32);

  Init ONES = (c, shape) -> c.manager().ones(shape, DataType.FLOAT32);

  static Init constant(double value) {
    return (c, shape) -> c.manager().full(shape, (float) value, DataType.FLOAT32);
  }

  static Init uniform(double bound) {
    return (c, shape) -> c.seed().uniform(c.manager(), shape, -bound, bound);
  }

  static Init normal(double deviation) {
    return (c, shape) -> c.seed().normal(c.manager(), shape, deviation);
  }

  /**
   * PyTorch's {@code kaiming_uniform_} with {@code a = sqrt(5)} for a tensor whose dimensions but
   * the first are its fan-in: uniform in {@code +-1 / sqrt(fan_in)}.
   */
  Init KAIMING =
      (c, shape) -> {
        double bound = 1 / Math.sqrt(shape.size() / (double) shape.get(0));
        return c.seed().uniform(c.manager(), shape, -bound, bound);
      };
}
