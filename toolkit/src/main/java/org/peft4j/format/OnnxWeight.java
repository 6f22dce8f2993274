package org.peft4j.format;

import ai.onnx.proto.OnnxMl.TensorProto;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One weight of an ONNX file: its type, its shape and where its bytes lie.
 *
 * @param type null for element types that nothing here knows
 * @param shape as in the file
 * @param begin where its bytes begin, or, unless {@code raw}, its message
 * @param length of the message, unless {@code raw}
 * @param external the file that holds the bytes; null for this one
 * @param transposed whether it is to be shown transposed
 */
record OnnxWeight(
    String name,
    String dtype,
    @Nullable ElementType type,
    List<Long> shape,
    long bytes,
    boolean raw,
    long begin,
    int length,
    @Nullable Path external,
    boolean transposed) {
  OnnxWeight asTransposed() {
    return new OnnxWeight(
        name, dtype, type, shape, bytes, raw, begin, length, external, !transposed);
  }

  /** The values of a message that lists them by number; null when they are not {@code bytes}. */
  static @Nullable ByteBuffer values(TensorProto tensor, ElementType type, int bytes) {
    int count =
        switch (type) {
          case F32 -> tensor.getFloatDataCount();
          case F64 -> tensor.getDoubleDataCount();
          case I64 -> tensor.getInt64DataCount();
          default -> tensor.getInt32DataCount();
        };
    if (count != bytes / type.width()) {
      return null;
    }
    ByteBuffer out = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      switch (type) {
        case F32 -> out.putFloat(tensor.getFloatData(i));
        case F64 -> out.putDouble(tensor.getDoubleData(i));
        case I64 -> out.putLong(tensor.getInt64Data(i));
        case I32 -> out.putInt(tensor.getInt32Data(i));
        case F16, BF16, I16 -> out.putShort((short) tensor.getInt32Data(i));
        default -> out.put((byte) tensor.getInt32Data(i));
      }
    }
    return out.flip();
  }
}
