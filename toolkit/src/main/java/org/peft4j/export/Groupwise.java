package org.peft4j.export;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A weight {@code [out, in]} that is kept as integers with a scale and a zero point per group of
 * consecutive inputs, as GPTQ or QA-LoRA leave it: {@code (code - zero) * scale}. The arrays belong
 * to the caller and must be open until the graph is written.
 *
 * @param shape {@code (out, in)}
 * @param bits 4 or 8
 * @param blockSize inputs that share a scale: 16, 32, 64, 128 or 256
 * @param codes uint8 {@code [out, blocks, blockSize * bits / 8]}, blocks = in / blockSize rounded
 *     up; of two 4-bit codes in a byte the even one is the low half
 * @param scales float32 {@code [out, blocks]}
 * @param zeroPoints uint8 {@code [out, (blocks * bits + 7) / 8]}, packed as the codes are; or
 *     float32 {@code [out, blocks]} where they are not whole; or null for {@code 2^(bits - 1)}
 *     everywhere
 */
public record Groupwise(
    Shape shape,
    int bits,
    int blockSize,
    NDArray codes,
    NDArray scales,
    @Nullable NDArray zeroPoints) {

  public Groupwise {
    if (shape.dimension() != 2) {
      throw new IllegalArgumentException(
          "group-wise weight\nexpected: a shape (out, in)\nfound: " + shape);
    }
    BlockCode code = new BlockCode(bits, blockSize, zeroPoints != null);
    long out = shape.get(0);
    long in = shape.get(1);
    List<String> problems = new ArrayList<>();
    check(
        "codes",
        codes,
        DataType.UINT8,
        new Shape(out, code.blocks(in), code.blockBytes()),
        problems);
    Shape blocks = new Shape(out, code.blocks(in));
    check("scales", scales, DataType.FLOAT32, blocks, problems);
    if (zeroPoints != null && zeroPoints.getDataType() == DataType.UINT8) {
      Shape packed = new Shape(out, code.zeroPointBytes(in));
      check("zero points", zeroPoints, DataType.UINT8, packed, problems);
    } else if (zeroPoints != null) {
      check("zero points", zeroPoints, DataType.FLOAT32, blocks, problems);
    }
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException("group-wise weight " + shape + String.join("", problems));
    }
  }

  private static void check(
      String what, NDArray array, DataType type, Shape shape, List<String> problems) {
    if (array.getDataType() != type || !array.getShape().equals(shape)) {
      problems.add(
          "\nexpected: "
              + what
              + " "
              + type
              + " "
              + shape
              + "\nfound: "
              + array.getDataType()
              + " "
              + array.getShape());
    }
  }

  @Override
  public String toString() {
    return shape + " int" + bits + "/" + blockSize + (zeroPoints != null ? " zp" : "");
  }
}
