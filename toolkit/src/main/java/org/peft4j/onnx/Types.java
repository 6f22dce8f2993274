package org.peft4j.onnx;

import ai.djl.ndarray.types.DataType;
import ai.onnxruntime.OnnxJavaType;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Element types: ONNX's codes, ONNX Runtime's names, PyTorch's promotion. */
final class Types {
  private static final Map<DataType, Integer> CODES =
      Map.ofEntries(
          Map.entry(DataType.FLOAT32, 1),
          Map.entry(DataType.UINT8, 2),
          Map.entry(DataType.INT8, 3),
          Map.entry(DataType.UINT16, 4),
          Map.entry(DataType.INT16, 5),
          Map.entry(DataType.INT32, 6),
          Map.entry(DataType.INT64, 7),
          Map.entry(DataType.BOOLEAN, 9),
          Map.entry(DataType.FLOAT16, 10),
          Map.entry(DataType.FLOAT64, 11),
          Map.entry(DataType.UINT32, 12),
          Map.entry(DataType.UINT64, 13),
          Map.entry(DataType.BFLOAT16, 16));

  private static final Map<OnnxJavaType, DataType> RUNTIME =
      Map.of(
          OnnxJavaType.FLOAT, DataType.FLOAT32,
          OnnxJavaType.DOUBLE, DataType.FLOAT64,
          OnnxJavaType.FLOAT16, DataType.FLOAT16,
          OnnxJavaType.INT8, DataType.INT8,
          OnnxJavaType.UINT8, DataType.UINT8,
          OnnxJavaType.INT16, DataType.INT16,
          OnnxJavaType.INT32, DataType.INT32,
          OnnxJavaType.INT64, DataType.INT64,
          OnnxJavaType.BOOL, DataType.BOOLEAN);

  private Types() {}

  /** TensorProto.DataType. */
  static int code(DataType type) {
    Integer code = CODES.get(type);
    if (code == null) {
      throw new IllegalArgumentException("ONNX has no element type for " + type);
    }
    return code;
  }

  /** The type that TensorProto.DataType calls {@code code}, or null. */
  static @Nullable DataType ofCode(int code) {
    return CODES.entrySet().stream()
        .filter(e -> e.getValue() == code)
        .map(Map.Entry::getKey)
        .findFirst()
        .orElse(null);
  }

  static DataType of(OnnxJavaType type) {
    DataType t = RUNTIME.get(type);
    if (t == null) {
      throw new IllegalArgumentException("arrays cannot hold ONNX Runtime's element type " + type);
    }
    return t;
  }

  static OnnxJavaType runtime(DataType type) {
    return RUNTIME.entrySet().stream()
        .filter(e -> e.getValue() == type)
        .map(Map.Entry::getKey)
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "ONNX Runtime's Java API has no element type for " + type));
  }

  static String text(DataType type) {
    return type.name().toLowerCase(Locale.ROOT);
  }

  /**
   * The type in which PyTorch compares two arrays; one without dimensions only counts by its
   * category.
   */
  static DataType promote(DataType a, boolean aScalar, DataType b, boolean bScalar) {
    if (a == b) {
      return a;
    }
    if (category(a) != category(b)) {
      return category(a) > category(b) ? a : b;
    }
    if (aScalar != bScalar) {
      return aScalar ? b : a;
    }
    if (a.getNumOfBytes() == b.getNumOfBytes()) {
      return DataType.INT16; // int8 with uint8
    }
    return a.getNumOfBytes() > b.getNumOfBytes() ? a : b;
  }

  /** The type of the array that DJL makes of a number. */
  static DataType of(Number n) {
    if (n instanceof Double) {
      return DataType.FLOAT64;
    }
    if (n instanceof Float) {
      return DataType.FLOAT32;
    }
    if (n instanceof Long) {
      return DataType.INT64;
    }
    return n instanceof Byte ? DataType.INT8 : DataType.INT32;
  }

  private static int category(DataType t) {
    return t == DataType.BOOLEAN ? 0 : t.isFloating() ? 2 : 1;
  }
}
