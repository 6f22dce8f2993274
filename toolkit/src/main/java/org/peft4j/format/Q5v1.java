package org.peft4j.format;

/**
 * ggml's Q5_1: 32 numbers in 24 bytes, {@code d, m, h[4], q[16]}; bit i of h is the fifth bit of
 * number i; x = d q + m, low half first.
 */
final class Q5v1 implements GgmlBlock {
  @Override
  public void decode(byte[] from, int at, float[] to, int out) {
    float d = GgmlBlock.half(from, at);
    float m = GgmlBlock.half(from, at + 2);
    int h = Q5v0.bits(from, at + 4);
    for (int i = 0; i < 16; i++) {
      int q = from[at + 8 + i];
      to[out + i] = d * ((q & 15) | (((h >> i) & 1) << 4)) + m;
      to[out + 16 + i] = d * (((q >> 4) & 15) | (((h >> (16 + i)) & 1) << 4)) + m;
    }
  }
}
