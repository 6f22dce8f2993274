package org.peft4j.format;

/** ggml's Q4_1: 32 numbers in 20 bytes, {@code d, m, q[16]}; x = d q + m, low half first. */
final class Q4v1 implements GgmlBlock {
  @Override
  public void decode(byte[] from, int at, float[] to, int out) {
    float d = GgmlBlock.half(from, at);
    float m = GgmlBlock.half(from, at + 2);
    for (int i = 0; i < 16; i++) {
      int q = from[at + 4 + i];
      to[out + i] = d * (q & 15) + m;
      to[out + 16 + i] = d * ((q >> 4) & 15) + m;
    }
  }
}
