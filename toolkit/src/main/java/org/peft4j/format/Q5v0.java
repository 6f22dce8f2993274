package org.peft4j.format;

/**
 * ggml's Q5_0: 32 numbers in 22 bytes, {@code d, h[4], q[16]}; bit i of h is the fifth bit of
 * number i; x = d (q - 16), low half first.
 */
final class Q5v0 implements GgmlBlock {
  @Override
  public void decode(byte[] from, int at, float[] to, int out) {
    float d = GgmlBlock.half(from, at);
    int h = bits(from, at + 2);
    for (int i = 0; i < 16; i++) {
      int q = from[at + 6 + i];
      to[out + i] = d * (((q & 15) | (((h >> i) & 1) << 4)) - 16);
      to[out + 16 + i] = d * ((((q >> 4) & 15) | (((h >> (16 + i)) & 1) << 4)) - 16);
    }
  }

  /** 32 bits, the first one lowest. */
  static int bits(byte[] from, int at) {
    return (from[at] & 0xff)
        | ((from[at + 1] & 0xff) << 8)
        | ((from[at + 2] & 0xff) << 16)
        | (from[at + 3] << 24);
  }
}
