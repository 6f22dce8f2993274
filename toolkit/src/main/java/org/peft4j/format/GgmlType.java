package org.peft4j.format;

import ai.djl.ndarray.types.DataType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The tensor types of ggml by their number in a file: blocks of {@link #elements} numbers in {@link
 * #bytes} bytes. Those with neither plain elements nor a block format here can be listed but not
 * loaded.
 */
@SuppressWarnings("ImmutableEnumChecker") // block formats have no fields
enum GgmlType {
  F32(0, ElementType.F32),
  F16(1, ElementType.F16),
  Q4_0(2, 32, 18, new Q4v0()),
  Q4_1(3, 32, 20, new Q4v1()),
  Q5_0(6, 32, 22, new Q5v0()),
  Q5_1(7, 32, 24, new Q5v1()),
  Q8_0(8, 32, 34, new Q8v0()),
  Q8_1(9, 32, 36, null),
  Q2_K(10, GgmlBlock.SUPER, 84, new Q2k()),
  Q3_K(11, GgmlBlock.SUPER, 110, new Q3k()),
  Q4_K(12, GgmlBlock.SUPER, 144, new Q4k()),
  Q5_K(13, GgmlBlock.SUPER, 176, new Q5k()),
  Q6_K(14, GgmlBlock.SUPER, 210, new Q6k()),
  Q8_K(15, GgmlBlock.SUPER, 292, null),
  IQ2_XXS(16, GgmlBlock.SUPER, 66, null),
  IQ2_XS(17, GgmlBlock.SUPER, 74, null),
  IQ3_XXS(18, GgmlBlock.SUPER, 98, null),
  IQ1_S(19, GgmlBlock.SUPER, 50, null),
  IQ4_NL(20, 32, 18, new Iq4Nl()),
  IQ3_S(21, GgmlBlock.SUPER, 110, null),
  IQ2_S(22, GgmlBlock.SUPER, 82, null),
  IQ4_XS(23, GgmlBlock.SUPER, 136, new Iq4Xs()),
  I8(24, ElementType.I8),
  I16(25, ElementType.I16),
  I32(26, ElementType.I32),
  I64(27, ElementType.I64),
  F64(28, ElementType.F64),
  IQ1_M(29, GgmlBlock.SUPER, 56, null),
  BF16(30, ElementType.BF16),
  TQ1_0(34, GgmlBlock.SUPER, 54, null),
  TQ2_0(35, GgmlBlock.SUPER, 66, null),
  MXFP4(39, 32, 17, null),
  NVFP4(40, 64, 36, null),
  Q1_0(41, 128, 18, null);

  private final int id;
  private final int elements;
  private final int bytes;
  private final @Nullable GgmlBlock block;
  private final @Nullable ElementType plain;

  GgmlType(int id, int elements, int bytes, @Nullable GgmlBlock block) {
    this.id = id;
    this.elements = elements;
    this.bytes = bytes;
    this.block = block;
    this.plain = null;
  }

  GgmlType(int id, ElementType plain) {
    this.id = id;
    this.elements = 1;
    this.bytes = plain.width();
    this.block = null;
    this.plain = plain;
  }

  /** The type of that number, or null. */
  static @Nullable GgmlType of(int id) {
    return Arrays.stream(values()).filter(t -> t.id == id).findFirst().orElse(null);
  }

  /** The type of that name, or null. */
  static @Nullable GgmlType named(String name) {
    return Arrays.stream(values()).filter(t -> t.name().equals(name)).findFirst().orElse(null);
  }

  /** Names of the types that can be loaded. */
  static List<String> loadable() {
    return Arrays.stream(values()).filter(t -> t.array() != null).map(Enum::name).toList();
  }

  /** Whether float32 arrays can be written as it. */
  boolean writable() {
    return this == F32 || this == F16 || this == BF16 || block instanceof GgmlBlock.Encoder;
  }

  static List<String> writableNames() {
    return Arrays.stream(values()).filter(GgmlType::writable).map(Enum::name).toList();
  }

  int id() {
    return id;
  }

  /** Numbers in a block. */
  int elements() {
    return elements;
  }

  /** Bytes of a block. */
  int bytes() {
    return bytes;
  }

  /** How blocks are packed; null for plain elements and for what cannot be loaded. */
  @Nullable GgmlBlock block() {
    return block;
  }

  /** The same type in safetensors, if its elements are plain. */
  @Nullable ElementType plain() {
    return plain;
  }

  /** What it is loaded as; null when it cannot be. */
  @Nullable DataType array() {
    return plain != null ? plain.array() : block != null ? DataType.FLOAT32 : null;
  }

  /**
   * Bytes that a tensor takes whose rows, the innermost dimension, are made of whole blocks.
   *
   * @param dimensions outermost first
   * @throws IllegalArgumentException with a fragment of a sentence when they are not possible
   */
  long bytes(List<Long> dimensions) {
    long row = dimensions.isEmpty() ? 1 : dimensions.get(dimensions.size() - 1);
    long count = ElementType.U8.bytes(dimensions); // below 2^60, so that the product fits
    if (row % elements != 0) {
      throw new IllegalArgumentException(
          "expected rows of a multiple of "
              + elements
              + " for "
              + name()
              + ", found "
              + dimensions);
    }
    return count / elements * bytes;
  }
}
