package org.peft4j.format;

/**
 * ggml's Q6_K: 256 numbers in 210 bytes, {@code l[128], h[64], s[16], d}; 16 groups of 16 numbers
 * with signed scales; x = d s (q - 32). Each half of 128 numbers has 64 bytes of l (low four bits:
 * runs 0 and 1 of 32 in their low halves, runs 2 and 3 in their high ones) and 32 bytes of h, whose
 * bit pairs belong to the four runs.
 */
final class Q6k implements GgmlBlock {
  @Override
  public void decode(byte[] from, int at, float[] to, int out) {
    float d = GgmlBlock.half(from, at + 208);
    for (int run = 0; run < 8; run++) {
      int half = run >> 2;
      int r = run & 3;
      int l = at + half * 64 + (r & 1) * 32;
      int h = at + 128 + half * 32;
      int shift = 4 * (r >> 1);
      for (int part = 0; part < 2; part++) {
        float scale = d * from[at + 192 + run * 2 + part];
        for (int i = part * 16; i < part * 16 + 16; i++) {
          int code = ((from[l + i] >> shift) & 15) | (((from[h + i] >> (2 * r)) & 3) << 4);
          to[out + run * 32 + i] = scale * (code - 32);
        }
      }
    }
  }
}
