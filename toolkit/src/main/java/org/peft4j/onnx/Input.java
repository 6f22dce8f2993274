package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.peft4j.tensor.Seed;

/**
 * An input of a graph.
 *
 * @param name its name in the file
 * @param sample how values are made, to trace and to compare with
 */
public record Input(String name, DataType type, List<Dim> dims, Sample sample) {
  private static final Seed SEED = Seed.of(7);

  public Input {
    dims = List.copyOf(dims);
    if (name.isBlank()) {
      throw new IllegalArgumentException("an input needs a name");
    }
    Types.code(type);
  }

  /**
   * An input whose dimensions are as {@link Dim#of} reads them, with the values of {@link
   * Sample#of}.
   */
  public static Input of(String name, DataType type, Object... dims) {
    return new Input(name, type, Arrays.stream(dims).map(Dim::of).toList(), Sample.of(type));
  }

  /** A float32 input, normal. */
  public static Input floats(String name, Object... dims) {
    return of(name, DataType.FLOAT32, dims);
  }

  /** An int64 input of token ids below {@code vocabulary}. */
  public static Input ids(String name, long vocabulary, Object... dims) {
    return of(name, DataType.INT64, dims).sampled(Sample.below(vocabulary));
  }

  /** An int64 input of ones, and of zeros where a row is padded. */
  public static Input mask(String name, Object... dims) {
    return of(name, DataType.INT64, dims).sampled(Sample.mask());
  }

  /** The same with other values. */
  public Input sampled(Sample other) {
    return new Input(name, type, dims, other);
  }

  /** The shape where the named dimensions have the given sizes. */
  public Shape shape(Map<String, Long> sizes) {
    return new Shape(dims.stream().mapToLong(d -> d.at(sizes)).toArray());
  }

  /** Values for these sizes; the same ones every time. */
  public NDArray values(NDManager manager, Map<String, Long> sizes) {
    Shape shape = shape(sizes);
    Seed seed = SEED.at(name);
    for (long d : shape.getShape()) {
      seed = seed.at(d);
    }
    NDArray x = sample.draw(new Sample.Draw(manager, shape, type, sizes, seed));
    if (!x.getShape().equals(shape) || x.getDataType() != type) {
      throw new IllegalArgumentException(
          "the sample of input \""
              + name
              + "\" does not fit\nexpected: "
              + type
              + " "
              + shape
              + "\nfound: "
              + x.getDataType()
              + " "
              + x.getShape());
    }
    return x;
  }

  @Override
  public String toString() {
    return name + " " + Types.text(type) + dims;
  }
}
