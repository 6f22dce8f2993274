package org.peft4j.format;

/**
 * ggml's IQ4_NL: 32 numbers in 18 bytes, {@code d, q[16]}; x = d level[q] with uneven levels, low
 * half first.
 */
final class Iq4Nl implements GgmlBlock {
  static final byte[] LEVELS = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
  };

  @Override
  public void decode(byte[] from, int at, float[] to, int out) {
    float d = GgmlBlock.half(from, at);
    for (int i = 0; i < 16; i++) {
      int q = from[at + 2 + i];
      to[out + i] = d * LEVELS[q & 15];
      to[out + 16 + i] = d * LEVELS[(q >> 4) & 15];
    }
  }
}
