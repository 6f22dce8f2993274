package org.peft4j.format;

/**
 * ggml's IQ4_XS: 256 numbers in 136 bytes, {@code d, h[2], l[4], q[128]}; 8 groups of 32 numbers
 * with the levels of IQ4_NL and 6-bit scales (four bits in the halves of l, two in the pairs of h);
 * x = d (scale - 32) level[q], low half of each group first.
 */
final class Iq4Xs implements GgmlBlock {
  @Override
  public void decode(byte[] from, int at, float[] to, int out) {
    float d = GgmlBlock.half(from, at);
    int high = (from[at + 2] & 0xff) | ((from[at + 3] & 0xff) << 8);
    for (int group = 0; group < 8; group++) {
      int low = (from[at + 4 + (group >> 1)] >> (4 * (group & 1))) & 15;
      float scale = d * ((low | (((high >> (2 * group)) & 3) << 4)) - 32);
      for (int i = 0; i < 16; i++) {
        int q = from[at + 8 + group * 16 + i];
        to[out + group * 32 + i] = scale * Iq4Nl.LEVELS[q & 15];
        to[out + group * 32 + 16 + i] = scale * Iq4Nl.LEVELS[(q >> 4) & 15];
      }
    }
  }
}
