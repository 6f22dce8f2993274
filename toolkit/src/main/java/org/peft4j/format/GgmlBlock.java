package org.peft4j.format;

/**
 * How ggml packs a block of neighbouring numbers of a row into bytes. Scales {@code d} and offsets
 * {@code m} are F16; "low half first" says that byte i holds number i in its low four bits and
 * number i + n/2 in its high four.
 */
interface GgmlBlock {
  /** Numbers in a block of the "K" formats. */
  int SUPER = 256;

  /** Writes the numbers of the block that begins at {@code from[at]} to {@code to[out]} onwards. */
  void decode(byte[] from, int at, float[] to, int out);

  /** The F16 number at {@code from[at]}. */
  static float half(byte[] from, int at) {
    return ShortFloats.f16((from[at] & 0xff) | (from[at + 1] << 8));
  }

  /** Stores {@code value} as F16 at {@code to[at]}. */
  static void half(float value, byte[] to, int at) {
    int code = ShortFloats.toF16(Float.floatToRawIntBits(value));
    to[at] = (byte) code;
    to[at + 1] = (byte) (code >> 8);
  }

  /** A block that can be made here too. */
  interface Encoder extends GgmlBlock {
    /** Packs the numbers from {@code from[at]} on into the block at {@code to[out]}. */
    void encode(float[] from, int at, byte[] to, int out);
  }
}
