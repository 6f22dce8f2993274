package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * What an array holds, in few bytes.
 *
 * @param single its only element, where it has but one number
 */
record Fingerprint(DataType type, Shape shape, long checksum, @Nullable Number single) {
  static Fingerprint of(NDArray array) {
    if (array.getDataType() == DataType.COMPLEX64) {
      return new Fingerprint(
          array.getDataType(), array.getShape(), 0, null); // never reaches a file
    }
    CRC32 crc = new CRC32();
    CRC32C other = new CRC32C();
    Payload.of(array)
        .forEachChunk(
            bytes -> {
              ByteBuffer again = bytes.duplicate();
              crc.update(bytes);
              other.update(again);
            });
    return new Fingerprint(
        array.getDataType(),
        array.getShape(),
        crc.getValue() << 32 | other.getValue(),
        single(array));
  }

  private static @Nullable Number single(NDArray array) {
    DataType t = array.getDataType();
    if (array.size() != 1 || array.getShape().dimension() > 1 || t == DataType.BOOLEAN) {
      return null;
    }
    ByteBuffer b = org.peft4j.tensor.Buffers.view(array);
    return switch (t) {
      case FLOAT32 -> (double) b.getFloat();
      case FLOAT64 -> b.getDouble();
      case INT64 -> b.getLong();
      case INT32 -> (long) b.getInt();
      default -> null;
    };
  }
}
