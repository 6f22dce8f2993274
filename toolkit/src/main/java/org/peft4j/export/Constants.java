package org.peft4j.export;

import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.peft4j.onnx.Initializer;

/** Small stored tensors. */
final class Constants {
  private Constants() {}

  /** int64 {@code [n]}. */
  static Initializer integers(String name, long... values) {
    ByteBuffer bytes = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asLongBuffer().put(values);
    return Initializer.of(name, DataType.INT64, new Shape(values.length), bytes.array());
  }

  /** A float32 without dimensions. */
  static Initializer number(String name, float value) {
    byte[] bytes = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putFloat(value).array();
    return Initializer.of(name, DataType.FLOAT32, new Shape(), bytes);
  }
}
