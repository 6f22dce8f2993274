package org.peft4j.format;

import java.lang.reflect.Array;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One value of a GGUF file's metadata with its type.
 *
 * @param type as the file says
 * @param element type of an array's elements; null for all others
 * @param content {@link Long} for integers (a UINT64 beyond 2^63 is negative), {@link Float},
 *     {@link Double}, {@link Boolean}, {@link String}; for arrays {@code byte[]}, {@code short[]},
 *     {@code int[]}, {@code long[]}, {@code float[]}, {@code double[]}, {@code boolean[]} as wide
 *     as their elements, a {@link List} of strings, or a list of arrays
 */
public record GgufValue(Type type, @Nullable Type element, Object content) {
  /** The types, in the order of their numbers in a file. */
  public enum Type {
    UINT8(0, 1),
    INT8(1, 1),
    UINT16(2, 2),
    INT16(3, 2),
    UINT32(4, 4),
    INT32(5, 4),
    FLOAT32(6, 4),
    BOOL(7, 1),
    STRING(8, 8),
    ARRAY(9, 12),
    UINT64(10, 8),
    INT64(11, 8),
    FLOAT64(12, 8);

    private final int number;
    private final int least;

    Type(int number, int least) {
      this.number = number;
      this.least = least;
    }

    /** Its number in a file. */
    int number() {
      return number;
    }

    /** Bytes that a value takes at least. */
    int least() {
      return least;
    }
  }

  public static GgufValue text(String s) {
    return new GgufValue(Type.STRING, null, s);
  }

  public static GgufValue flag(boolean b) {
    return new GgufValue(Type.BOOL, null, b);
  }

  public static GgufValue float32(double x) {
    return new GgufValue(Type.FLOAT32, null, (float) x);
  }

  /** A number from 0 to 2^32 - 1. */
  public static GgufValue uint32(long n) {
    if (n < 0 || n > 0xffffffffL) {
      throw new IllegalArgumentException("expected 0 to 2^32 - 1, found " + n);
    }
    return new GgufValue(Type.UINT32, null, n);
  }

  public static GgufValue texts(List<String> list) {
    return new GgufValue(Type.ARRAY, Type.STRING, List.copyOf(list));
  }

  public static GgufValue int32s(int[] values) {
    return new GgufValue(Type.ARRAY, Type.INT32, values.clone());
  }

  public static GgufValue float32s(float[] values) {
    return new GgufValue(Type.ARRAY, Type.FLOAT32, values.clone());
  }

  /** Elements of an array; 1 for all others. */
  public int size() {
    return type != Type.ARRAY
        ? 1
        : content instanceof List<?> list ? list.size() : Array.getLength(content);
  }

  /** The element at {@code i} of an array, widened: Long, Double, Boolean, String or a value. */
  Object at(int i) {
    Object e = content instanceof List<?> list ? list.get(i) : Array.get(content, i);
    if (element == Type.UINT8 || element == Type.UINT16 || element == Type.UINT32) {
      return ((Number) e).longValue() & ((1L << (8 * element.least())) - 1);
    }
    return e instanceof Float f
        ? exact(f)
        : e instanceof Double || !(e instanceof Number n) ? e : (Object) n.longValue();
  }

  /** The double that a float was meant to be: the one of fewest digits that rounds to it. */
  static double exact(float f) {
    return Double.parseDouble(Float.toString(f));
  }

  @Override
  public String toString() {
    return type == Type.ARRAY
        ? element + "[" + size() + "]"
        : type + " " + Malformed.quote(content);
  }
}
