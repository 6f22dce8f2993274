package org.peft4j.format;

/**
 * ggml's Q5_K: 256 numbers in 176 bytes, {@code d, m, s[12], h[32], q[128]}; as Q4_K, with bit j of
 * h[i] as the fifth bit of number i of group j.
 */
final class Q5k implements GgmlBlock {
  @Override
  public void decode(byte[] from, int at, float[] to, int out) {
    float d = GgmlBlock.half(from, at);
    float m = GgmlBlock.half(from, at + 2);
    int h = at + 16;
    for (int group = 0; group < 8; group++) {
      float scale = d * Q4k.scale(from, at + 4, group);
      float offset = m * Q4k.offset(from, at + 4, group);
      int q = at + 48 + (group >> 1) * 32;
      int shift = 4 * (group & 1);
      for (int i = 0; i < 32; i++) {
        int code = ((from[q + i] >> shift) & 15) | (((from[h + i] >> group) & 1) << 4);
        to[out + group * 32 + i] = scale * code - offset;
      }
    }
  }
}
