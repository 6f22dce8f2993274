package org.peft4j.format;

/**
 * ggml's Q2_K: 256 numbers in 84 bytes, {@code s[16], q[64], d, m}; 16 groups of 16 numbers with
 * scale (low) and offset (high four bits) in s; x = d scale q - m offset. Each half of 128 numbers
 * has 32 bytes of q, whose bit pairs, lowest first, belong to four runs of 32.
 */
final class Q2k implements GgmlBlock {
  @Override
  public void decode(byte[] from, int at, float[] to, int out) {
    float d = GgmlBlock.half(from, at + 80);
    float m = GgmlBlock.half(from, at + 82);
    for (int group = 0; group < 16; group++) {
      int s = from[at + group];
      float scale = d * (s & 15);
      float offset = m * ((s >> 4) & 15);
      int q = at + 16 + (group >> 3) * 32 + (group & 1) * 16;
      int shift = (group >> 1) & 3;
      for (int i = 0; i < 16; i++) {
        to[out + group * 16 + i] = scale * ((from[q + i] >> (2 * shift)) & 3) - offset;
      }
    }
  }
}
