package org.peft4j.export;

import java.util.List;
import java.util.TreeMap;
import org.peft4j.onnx.OnnxNode;

/**
 * The parameters of a {@code com.microsoft.MatMulNBits}.
 *
 * @param codes name of the stored codes {@code [N, blocks, bytes]}
 * @param scales name of the stored scales {@code [N, blocks]}
 * @param zeros name of the stored zero points, or empty
 */
record PackedProduct(
    int bits, int blockSize, int accuracyLevel, String codes, String scales, String zeros) {

  /** The node that stands in the product's place, under its name. */
  OnnxNode of(WeightProduct product) {
    TreeMap<String, Object> attributes = new TreeMap<>();
    attributes.put("K", product.in());
    attributes.put("N", product.out());
    attributes.put("bits", (long) bits);
    attributes.put("block_size", (long) blockSize);
    if (accuracyLevel > 0) {
      attributes.put("accuracy_level", (long) accuracyLevel);
    }
    OnnxNode node = product.node();
    return new OnnxNode(
        node.name(),
        "com.microsoft",
        "MatMulNBits",
        List.of(product.x(), codes, scales, zeros, "", product.bias()),
        node.outputs(),
        attributes,
        node.site());
  }

  static void requireAccuracy(int level) {
    if (level < 0 || level > 4) {
      throw new IllegalArgumentException(
          "accuracy level\n"
              + "expected: 0 (unset), 1 (float32), 2 (float16), 3 (bfloat16) or 4 (int8)\n"
              + "found: "
              + level);
    }
  }
}
