package org.peft4j.format;

/**
 * ggml's Q4_0: 32 numbers in 18 bytes, {@code d, q[16]}; x = d (q - 8), low half first. The number
 * of largest magnitude becomes exactly -8 d.
 */
final class Q4v0 implements GgmlBlock.Encoder {
  @Override
  public void decode(byte[] from, int at, float[] to, int out) {
    float d = GgmlBlock.half(from, at);
    for (int i = 0; i < 16; i++) {
      int q = from[at + 2 + i];
      to[out + i] = d * ((q & 15) - 8);
      to[out + 16 + i] = d * (((q >> 4) & 15) - 8);
    }
  }

  @Override
  public void encode(float[] from, int at, byte[] to, int out) {
    float largest = from[at];
    for (int i = 1; i < 32; i++) {
      if (Math.abs(from[at + i]) > Math.abs(largest)) {
        largest = from[at + i];
      }
    }
    float d = largest / -8;
    float inverse = d == 0 ? 0 : 1 / d;
    GgmlBlock.half(d, to, out);
    for (int i = 0; i < 16; i++) {
      int low = code(from[at + i] * inverse);
      int high = code(from[at + 16 + i] * inverse);
      to[out + 2 + i] = (byte) (low | (high << 4));
    }
  }

  private static int code(float scaled) {
    return Math.min(15, (int) (scaled + 8.5f));
  }
}
