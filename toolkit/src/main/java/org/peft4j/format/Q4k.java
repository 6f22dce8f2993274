package org.peft4j.format;

/**
 * ggml's Q4_K: 256 numbers in 144 bytes, {@code d, m, s[12], q[128]}; 8 groups of 32 numbers with
 * 6-bit scales and offsets; x = d scale q - m offset. 32 bytes of q hold two groups, the first in
 * the low four bits.
 */
final class Q4k implements GgmlBlock {
  @Override
  public void decode(byte[] from, int at, float[] to, int out) {
    float d = GgmlBlock.half(from, at);
    float m = GgmlBlock.half(from, at + 2);
    for (int group = 0; group < 8; group++) {
      float scale = d * scale(from, at + 4, group);
      float offset = m * offset(from, at + 4, group);
      int q = at + 16 + (group >> 1) * 32;
      int shift = 4 * (group & 1);
      for (int i = 0; i < 32; i++) {
        to[out + group * 32 + i] = scale * ((from[q + i] >> shift) & 15) - offset;
      }
    }
  }

  /**
   * Scale of a group. Of s, bytes 0 to 3 hold the scales of groups 0 to 3 in their low six bits,
   * and in their top two those of groups 4 to 7, whose low four bits lie in bytes 8 to 11.
   */
  static int scale(byte[] from, int s, int group) {
    int g = group & 3;
    return group < 4 ? from[s + g] & 63 : (from[s + 8 + g] & 15) | ((from[s + g] >> 2) & 0x30);
  }

  /** Offset of a group: as the scales, in bytes 4 to 7 and the high four bits of 8 to 11. */
  static int offset(byte[] from, int s, int group) {
    int g = group & 3;
    return group < 4
        ? from[s + 4 + g] & 63
        : ((from[s + 8 + g] >> 4) & 15) | ((from[s + 4 + g] >> 2) & 0x30);
  }
}
