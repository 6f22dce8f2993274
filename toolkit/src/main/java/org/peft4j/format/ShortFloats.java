package org.peft4j.format;

/**
 * Floats below 32 bits: F16 is IEEE 754 binary16, BF16 the upper half of binary32, F8_E5M2 the
 * upper half of binary16, F8_E4M3 has bias 7, no infinities and one NaN per sign. Widening is
 * exact; narrowing rounds to the nearest, ties to even. Floats travel as their bits, so that no NaN
 * changes on the way.
 */
final class ShortFloats {
  private static final int NAN_F16 = 0x7e00;
  private static final int NAN_BF16 = 0x7fc0;

  private ShortFloats() {}

  private static final class Tables {
    static final int[] F16 = new int[1 << 16];
    static final int[] E5M2 = new int[1 << 8];
    static final int[] E4M3 = new int[1 << 8];

    static {
      for (int i = 0; i < F16.length; i++) {
        F16[i] = widen(i, 16, 10, 15, true);
      }
      for (int i = 0; i < 256; i++) {
        E5M2[i] = widen(i, 8, 2, 15, true);
        E4M3[i] = widen(i, 8, 3, 7, false);
      }
    }

    /** One value by the definition of such formats. */
    static int widen(int code, int bits, int mantissaBits, int bias, boolean ieee) {
      int sign = code >>> (bits - 1) << 31;
      int mantissa = code & ((1 << mantissaBits) - 1);
      int exponents = (1 << (bits - 1 - mantissaBits)) - 1;
      int exponent = code >>> mantissaBits & exponents;
      if (exponent == exponents && (ieee || mantissa == (1 << mantissaBits) - 1)) {
        return sign | 0x7f800000 | mantissa << (23 - mantissaBits); // infinity or NaN
      }
      float value =
          exponent == 0
              ? Math.scalb((float) mantissa, 1 - bias - mantissaBits)
              : Math.scalb((float) (mantissa | 1 << mantissaBits), exponent - bias - mantissaBits);
      return sign | Float.floatToRawIntBits(value);
    }
  }

  /** The value of one F16 element, whose code is in the low 16 bits. */
  static float f16(int code) {
    return Float.intBitsToFloat(Tables.F16[code & 0xffff]);
  }

  /** Widens {@code n} elements of 16 bits to the bits of as many floats, or integers for I16. */
  static void widen(ElementType type, short[] from, int n, int[] to) {
    if (type == ElementType.BF16) {
      for (int i = 0; i < n; i++) {
        to[i] = from[i] << 16;
      }
    } else if (type == ElementType.I16) {
      for (int i = 0; i < n; i++) {
        to[i] = from[i];
      }
    } else {
      int[] table = Tables.F16;
      for (int i = 0; i < n; i++) {
        to[i] = table[from[i] & 0xffff];
      }
    }
  }

  /** Widens {@code n} elements of 8 bits to the bits of as many floats. */
  static void widen(ElementType type, byte[] from, int n, int[] to) {
    int[] table = type == ElementType.F8_E5M2 ? Tables.E5M2 : Tables.E4M3;
    for (int i = 0; i < n; i++) {
      to[i] = table[from[i] & 0xff];
    }
  }

  /** Rounds the bits of {@code n} floats to as many elements of F16 or BF16. */
  static void narrow(ElementType type, int[] from, int n, short[] to) {
    if (type == ElementType.BF16) {
      for (int i = 0; i < n; i++) {
        to[i] = (short) toBf16(from[i]);
      }
    } else {
      for (int i = 0; i < n; i++) {
        to[i] = (short) toF16(from[i]);
      }
    }
  }

  static int toBf16(int bits) {
    return (bits & 0x7fffffff) > 0x7f800000
        ? (bits >>> 16 & 0x8000) | NAN_BF16
        : (bits + 0x7fff + (bits >>> 16 & 1)) >>> 16;
  }

  static int toF16(int bits) {
    int sign = bits >>> 16 & 0x8000;
    int magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) {
      return sign | NAN_F16;
    }
    if (magnitude >= 0x477ff000) { // 65520, from where on the nearest is infinity
      return sign | 0x7c00;
    }
    if (magnitude < 0x38800000) { // below 2^-14: a multiple of 2^-24; adding 2^-1 rounds to those
      int rounded = Float.floatToRawIntBits(Float.intBitsToFloat(magnitude) + 0.5f);
      return sign | (rounded - 0x3f000000);
    }
    int rebased = magnitude - (112 << 23); // exponent bias 127 to 15
    return sign | (rebased + 0xfff + (rebased >>> 13 & 1)) >>> 13;
  }
}
