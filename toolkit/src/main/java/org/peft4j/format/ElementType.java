package org.peft4j.format;

import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The element types of safetensors, in the order in which its writer sorts them (last one first in
 * the file). What DJL has no arrays for can be listed but not loaded.
 */
enum ElementType {
  BOOL(8, DataType.BOOLEAN),
  F4(4, null),
  F6_E2M3(6, null),
  F6_E3M2(6, null),
  U8(8, DataType.UINT8),
  I8(8, DataType.INT8),
  F8_E5M2(8, DataType.FLOAT32),
  F8_E4M3(8, DataType.FLOAT32),
  F8_E8M0(8, null),
  F8_E4M3FNUZ(8, null),
  F8_E5M2FNUZ(8, null),
  I16(16, DataType.INT32), // DJL aborts the JVM when asked for an INT16 array
  U16(16, null),
  F16(16, DataType.FLOAT32),
  BF16(16, DataType.FLOAT32),
  I32(32, DataType.INT32),
  U32(32, null),
  F32(32, DataType.FLOAT32),
  C64(64, null),
  F64(64, DataType.FLOAT64),
  I64(64, DataType.INT64),
  U64(64, null);

  static final int MOST_DIMENSIONS = 64;

  private final int bits;
  private final @Nullable DataType array;

  ElementType(int bits, @Nullable DataType array) {
    this.bits = bits;
    this.array = array;
  }

  /** The type of that name, or null. */
  static @Nullable ElementType named(String name) {
    return Arrays.stream(values()).filter(t -> t.name().equals(name)).findFirst().orElse(null);
  }

  /** The type that an array is written as, or null where the format has none. */
  static @Nullable ElementType of(DataType type) {
    return switch (type) {
      case FLOAT16 -> F16;
      case BFLOAT16 -> BF16;
      default ->
          Arrays.stream(values())
              .filter(t -> t.array == type && t.bits == 8 * type.getNumOfBytes())
              .findFirst()
              .orElse(null);
    };
  }

  /** What an array that holds such elements is made of; null when DJL has nothing for it. */
  @Nullable DataType array() {
    return array;
  }

  /** Bytes of one element; types below one byte have no such number. */
  int width() {
    return bits / 8;
  }

  /** Whether loading changes the width: short floats become float32, I16 becomes int32. */
  boolean widens() {
    return array != null && 8 * array.getNumOfBytes() != bits;
  }

  /**
   * Bytes that a tensor of this type takes.
   *
   * @throws IllegalArgumentException with a fragment of a sentence when {@code dimensions} are
   *     negative, too many, overflow or do not fill whole bytes
   */
  long bytes(List<Long> dimensions) {
    if (dimensions.size() > MOST_DIMENSIONS) {
      throw new IllegalArgumentException(
          "expected at most " + MOST_DIMENSIONS + " dimensions, found " + dimensions.size());
    }
    // zeros count as one first: an empty tensor must not hide sizes that overflow elsewhere
    long product = bits;
    boolean empty = false;
    for (long n : dimensions) {
      if (n < 0) {
        throw new IllegalArgumentException("expected sizes of at least 0, found " + dimensions);
      }
      if (Math.multiplyHigh(product, Math.max(n, 1)) != 0 || product * Math.max(n, 1) < 0) {
        throw new IllegalArgumentException("expected less than 2^63 bits, found " + dimensions);
      }
      product *= Math.max(n, 1);
      empty |= n == 0;
    }
    if (!empty && product % 8 != 0) {
      throw new IllegalArgumentException("expected whole bytes, found " + name() + dimensions);
    }
    return empty ? 0 : product / 8;
  }

  static Shape shape(List<Long> dimensions) {
    return new Shape(dimensions.stream().mapToLong(Long::longValue).toArray());
  }

  static List<Long> dimensions(Shape shape) {
    return Arrays.stream(shape.getShape()).boxed().toList();
  }
}
