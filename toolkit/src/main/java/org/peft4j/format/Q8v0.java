package org.peft4j.format;

/**
 * ggml's Q8_0: 32 numbers in 34 bytes, {@code d, q[32]} with signed q; x = d q. The largest
 * magnitude becomes 127 d; others are rounded to the nearest, ties away from zero.
 */
final class Q8v0 implements GgmlBlock.Encoder {
  @Override
  public void decode(byte[] from, int at, float[] to, int out) {
    float d = GgmlBlock.half(from, at);
    for (int i = 0; i < 32; i++) {
      to[out + i] = d * from[at + 2 + i];
    }
  }

  @Override
  public void encode(float[] from, int at, byte[] to, int out) {
    float largest = 0;
    for (int i = 0; i < 32; i++) {
      largest = Math.max(largest, Math.abs(from[at + i]));
    }
    float d = largest / 127;
    float inverse = d == 0 ? 0 : 1 / d;
    GgmlBlock.half(d, to, out);
    for (int i = 0; i < 32; i++) {
      float scaled = from[at + i] * inverse;
      float magnitude = Math.abs(scaled);
      int whole = (int) magnitude;
      int rounded = magnitude - whole >= 0.5f ? whole + 1 : whole;
      to[out + 2 + i] = (byte) (scaled < 0 ? -rounded : rounded);
    }
  }
}
