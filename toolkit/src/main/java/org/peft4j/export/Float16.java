package org.peft4j.export;

/** IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction. */
final class Float16 {
  /** The largest finite value. */
  static final float MAX = 65504;

  private Float16() {}

  /** The nearest value's bits, ties to even; infinite from 65520 on. */
  static short of(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = (bits >>> 16) & 0x8000;
    float magnitude = Math.abs(value);
    if (Float.isNaN(value)) {
      return (short) (sign | 0x7e00);
    }
    if (magnitude >= 65520) {
      return (short) (sign | 0x7c00);
    }
    if (magnitude < 0x1p-14f) {
      return (short) (sign | (int) Math.rint(magnitude * 0x1p24)); // a multiple of 2^-24
    }
    int m = bits & 0x7fffffff;
    int rounded = m + 0x0fff + ((m >>> 13) & 1); // carries into the exponent where it must
    return (short) (sign | ((rounded - (112 << 23)) >>> 13));
  }

  static float toFloat(short half) {
    int exponent = (half >>> 10) & 0x1f;
    int fraction = half & 0x3ff;
    float magnitude =
        switch (exponent) {
          case 0 -> fraction * 0x1p-24f;
          case 31 -> fraction == 0 ? Float.POSITIVE_INFINITY : Float.NaN;
          default -> Float.intBitsToFloat(((exponent + 112) << 23) | (fraction << 13));
        };
    return half < 0 ? -magnitude : magnitude;
  }
}
