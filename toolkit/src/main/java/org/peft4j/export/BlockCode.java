package org.peft4j.export;

import java.util.Arrays;

/**
 * Block-wise integers as ONNX Runtime's {@code MatMulNBits} reads and its own quantiser writes
 * them. A row of K values is cut into blocks; a value is {@code (code - zeroPoint) * scale}.
 * Without zero points the scale is the element of largest magnitude, with its sign, over {@code
 * -2^(bits - 1)}; with them it is the range of the block, widened to 0, over {@code 2^bits - 1}.
 * Codes of 4 bits share a byte, the even one in its low half; the codes that fill a last block are
 * 0.
 *
 * @param bits 4 or 8
 * @param blockSize a power of two from 16 to 256
 * @param fitted whether scales and zero points are instead those that lose least, see {@link
 *     BlockFit}
 */
record BlockCode(int bits, int blockSize, boolean zeroPoints, boolean fitted) {
  /** As ONNX Runtime's own quantiser does it. */
  BlockCode(int bits, int blockSize, boolean zeroPoints) {
    this(bits, blockSize, zeroPoints, false);
  }

  BlockCode {
    if (bits != 4 && bits != 8) {
      throw new IllegalArgumentException("bits\nexpected: 4 or 8\nfound: " + bits);
    }
    requireBlock(blockSize);
  }

  static void requireBlock(int size) {
    if (size < 16 || size > 256 || Integer.bitCount(size) != 1) {
      throw new IllegalArgumentException(
          "block size\nexpected: 16, 32, 64, 128 or 256\nfound: " + size);
    }
  }

  /** Blocks of a row of that many values. */
  int blocks(long values) {
    return Math.toIntExact((values + blockSize - 1) / blockSize);
  }

  /** Bytes of a block's codes. */
  int blockBytes() {
    return blockSize * bits / 8;
  }

  /** Bytes of a row's zero points. */
  int zeroPointBytes(long values) {
    return (blocks(values) * bits + 7) / 8;
  }

  /** The zero point where none is stored, and in the unused half of a last byte. */
  int middle() {
    return 1 << (bits - 1);
  }

  int largest() {
    return (1 << bits) - 1;
  }

  /** A row in this code; reused from row to row. */
  final class Row {
    final byte[] codes;
    final float[] scales;
    final int[] zeros;
    private final int width;
    private final BlockFit fit = new BlockFit(BlockCode.this);

    Row(int width) {
      this.width = width;
      codes = new byte[blocks(width) * blockBytes()];
      scales = new float[blocks(width)];
      zeros = new int[blocks(width)];
    }

    /** Finds scales and zero points. */
    void measure(float[] row) {
      for (int b = 0; b < scales.length; b++) {
        float low = 0;
        float high = 0;
        for (int i = b * blockSize; i < Math.min(width, (b + 1) * blockSize); i++) {
          float v = row[i];
          if (!(Math.abs(v) <= Float.MAX_VALUE)) {
            throw new IllegalArgumentException("expected: finite weights\nfound: " + v);
          }
          low = Math.min(low, v);
          high = Math.max(high, v);
        }
        if (fitted) {
          fit.fit(row, b * blockSize, Math.min(width, (b + 1) * blockSize), low, high);
          scales[b] = fit.scale();
          zeros[b] = fit.zero();
        } else if (zeroPoints) {
          scales[b] = (high - low) / largest();
          float zero = scales[b] == 0 ? 0 : 0 - low / scales[b];
          zeros[b] = clipped(zero);
        } else {
          scales[b] = (Math.abs(high) > Math.abs(low) ? high : low) / -middle();
          zeros[b] = middle();
        }
      }
    }

    /** Sets scales and zero points that were found before. */
    void recall(float[] knownScales, byte[] knownZeros) {
      System.arraycopy(knownScales, 0, scales, 0, scales.length);
      for (int b = 0; b < zeros.length; b++) {
        zeros[b] = knownZeros[b] & 0xff;
      }
    }

    /** Finds codes, by scales and zero points that were found. */
    void encode(float[] row) {
      Arrays.fill(codes, (byte) 0);
      for (int b = 0; b < scales.length; b++) {
        float reciprocal = scales[b] == 0 ? 0 : 1 / scales[b];
        int zero = zeros[b];
        for (int i = b * blockSize; i < Math.min(width, (b + 1) * blockSize); i++) {
          put(i, clipped(row[i] * reciprocal + zero));
        }
      }
    }

    /** The value that stands at {@code i} after {@link #encode}. */
    float decoded(int i) {
      int b = i / blockSize;
      int code =
          bits == 8 ? codes[i] & 0xff : (codes[i / 2] >>> (i % 2 * 4)) & 0xf; // the row is packed
      return (code - zeros[b]) * scales[b];
    }

    /** Zero points as they are stored. */
    void packZeros(byte[] to) {
      if (bits == 8) {
        for (int b = 0; b < zeros.length; b++) {
          to[b] = (byte) zeros[b];
        }
        return;
      }
      for (int b = 0; b < zeros.length; b += 2) {
        int next = b + 1 < zeros.length ? zeros[b + 1] : middle();
        to[b / 2] = (byte) (zeros[b] | (next << 4));
      }
    }

    private void put(int i, int code) {
      if (bits == 8) {
        codes[i] = (byte) code;
      } else {
        codes[i / 2] |= (byte) (code << (i % 2 * 4));
      }
    }

    /** The nearest code, halves upwards. */
    private int clipped(float value) {
      return Math.max(0, Math.min(largest(), Math.round(value)));
    }
  }

  @Override
  public String toString() {
    return "int" + bits + "/" + blockSize + (zeroPoints ? " zp" : "") + (fitted ? " fit" : "");
  }
}
