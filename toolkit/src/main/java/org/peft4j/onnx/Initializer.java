package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.List;

/**
 * A tensor stored with a graph: a weight or a constant. It refers to its array and does not copy
 * it.
 */
public final class Initializer {
  private final String name;
  private final DataType type;
  private final Shape shape;
  private final Payload payload;

  private Initializer(String name, DataType type, Shape shape, Payload payload) {
    this.name = name;
    this.type = type;
    this.shape = shape;
    this.payload = payload;
    Types.code(type);
    if (payload.size() != shape.size() * type.getNumOfBytes()) {
      throw new IllegalArgumentException(
          "initializer "
              + name
              + "\nexpected: "
              + shape.size() * type.getNumOfBytes()
              + " bytes for "
              + type
              + " "
              + shape
              + "\nfound: "
              + payload.size());
    }
  }

  /** An array's content at the time of writing; the array must be open then. */
  public static Initializer of(String name, NDArray array) {
    return new Initializer(name, array.getDataType(), array.getShape(), Payload.of(array));
  }

  /** Elements as bytes, row-major, little-endian. */
  public static Initializer of(String name, DataType type, Shape shape, byte[] bytes) {
    return new Initializer(name, type, shape, Payload.of(bytes.clone()));
  }

  /**
   * Content that may be made as it is written.
   *
   * @throws IllegalArgumentException where the payload has another size than the shape asks for
   */
  public static Initializer of(String name, DataType type, Shape shape, Payload payload) {
    return new Initializer(name, type, shape, payload);
  }

  /** A matrix with its axes exchanged, under the same name. */
  public Initializer transposed() {
    Payload turned = payload.transposed(shape);
    return new Initializer(name, type, new Shape(shape.get(1), shape.get(0)), turned);
  }

  /**
   * Tensors of one type, alike but along their first axis, one behind the other along it.
   *
   * @param parts at least one
   */
  public static Initializer joined(String name, List<Initializer> parts) {
    Initializer first = parts.get(0);
    long[] shape = first.shape.getShape().clone();
    shape[0] = parts.stream().mapToLong(p -> p.shape.get(0)).sum();
    List<Payload> payloads = parts.stream().map(Initializer::payload).toList();
    return new Initializer(name, first.type, new Shape(shape), Payload.joined(payloads));
  }

  /** The same content under another name. */
  public Initializer named(String other) {
    return new Initializer(other, type, shape, payload);
  }

  public String name() {
    return name;
  }

  public DataType type() {
    return type;
  }

  public Shape shape() {
    return shape;
  }

  /** Number of bytes. */
  public long size() {
    return payload.size();
  }

  /** Its bytes. */
  public Payload payload() {
    return payload;
  }

  @Override
  public String toString() {
    return name + " " + Types.text(type) + " " + shape;
  }
}
