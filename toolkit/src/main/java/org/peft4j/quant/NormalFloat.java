package org.peft4j.quant;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/**
 * The 4-bit NormalFloat of QLoRA (Dettmers et al., arXiv 2305.14314), bit for bit as bitsandbytes
 * has it on the CPU: 16 quantiles of the normal distribution, scaled by the largest magnitude of
 * each block of the flattened weight.
 */
final class NormalFloat {
  /** Values of the codes 0 to 15, as their IEEE 754 bits. */
  private static final int[] BITS = {
    0xbf800000, 0xbf3239b1, 0xbf066b30, 0xbeca32a0, 0xbe91a24d, 0xbe3d353f, 0xbdba7871, 0x00000000,
    0x3da2faff, 0x3e24cae3, 0x3e7c04dd, 0x3ead033a, 0x3ee1a4b8, 0x3f1007ab, 0x3f3913b3, 0x3f800000
  };

  private static final float[] VALUES = values();

  /** Half-way points between neighbours; a value at one of them takes the lower code. */
  private static final float[] BOUNDS = bounds();

  /** A block whose numbers are all smaller is scaled by this. */
  private static final float SMALLEST = 1e-38f;

  private static final int ZERO = 7;
  private static final int NOT_A_NUMBER = 15;

  private NormalFloat() {}

  private static float[] values() {
    float[] out = new float[BITS.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = Float.intBitsToFloat(BITS[i]);
    }
    return out;
  }

  private static float[] bounds() {
    float[] out = new float[VALUES.length - 1];
    for (int i = 0; i < out.length; i++) {
      out[i] = (VALUES[i] + VALUES[i + 1]) / 2;
    }
    return out;
  }

  /** Value of a code from 0 to 15. */
  static float value(int code) {
    return VALUES[code];
  }

  /** The code of the nearest value. */
  static int code(float x) {
    if (Float.isNaN(x)) {
      return NOT_A_NUMBER;
    }
    int c = x > BOUNDS[7] ? 8 : 0;
    c += x > BOUNDS[c + 3] ? 4 : 0;
    c += x > BOUNDS[c + 1] ? 2 : 0;
    return c + (x > BOUNDS[c] ? 1 : 0);
  }

  /**
   * Quantises what remains in {@code x}.
   *
   * @param packed gets two codes per byte, the first in the upper half
   * @param absmax gets the largest magnitude of each block
   */
  static void quantise(FloatBuffer x, int block, ByteBuffer packed, FloatBuffer absmax) {
    int n = x.remaining();
    float[] values = new float[block];
    int before = -1; // the first code of an unfinished byte
    for (int start = 0; start < n; start += block) {
      int size = Math.min(block, n - start);
      x.get(values, 0, size);
      float most = 0;
      for (int i = 0; i < size; i++) {
        most = Math.max(most, Math.abs(values[i]));
      }
      boolean full = size == block;
      float divisor = Math.max(most, SMALLEST);
      absmax.put(full ? most : divisor);
      float reciprocal = 1 / divisor;
      for (int i = 0; i < size; i++) {
        // bitsandbytes divides in a last block that is not full, and multiplies in all others
        float scaled = full ? values[i] * reciprocal : values[i] / divisor;
        int code = code(Math.max(-1, Math.min(1, scaled)));
        if (before < 0) {
          before = code;
        } else {
          packed.put((byte) ((before << 4) | code));
          before = -1;
        }
      }
    }
    if (before >= 0) {
      packed.put((byte) ((before << 4) | ZERO));
    }
  }
}
