package org.peft4j.format;

/**
 * ggml's Q3_K: 256 numbers in 110 bytes, {@code h[32], q[64], s[12], d}; 16 groups of 16 numbers
 * with 6-bit scales; x = d (scale - 32) (q - 4 (1 - h)). Low bit pairs lie as in Q2_K; bit j of
 * h[i] belongs to number 32 j + i. Of the scales, four low bits lie in the halves of s[0..7], two
 * high bits in the quarters of s[8..11].
 */
final class Q3k implements GgmlBlock {
  @Override
  public void decode(byte[] from, int at, float[] to, int out) {
    float d = GgmlBlock.half(from, at + 108);
    for (int group = 0; group < 16; group++) {
      int low = (from[at + 96 + (group & 7)] >> (4 * (group >> 3))) & 15;
      int high = (from[at + 104 + (group & 3)] >> (2 * (group >> 2))) & 3;
      float scale = d * ((low | (high << 4)) - 32);
      int q = at + 32 + (group >> 3) * 32 + (group & 1) * 16;
      int h = at + (group & 1) * 16;
      int shift = (group >> 1) & 3;
      for (int i = 0; i < 16; i++) {
        int sign = (from[h + i] >> (group >> 1)) & 1;
        to[out + group * 16 + i] = scale * (((from[q + i] >> (2 * shift)) & 3) - 4 * (1 - sign));
      }
    }
  }
}
