package org.peft4j.export;

import ai.djl.ndarray.types.DataType;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.OnnxNode;

/**
 * A node that computes {@code x W^T + b} with a stored float32 W {@code [out, in]}.
 *
 * @param x name of what is multiplied
 * @param weight as it is stored, under its name there
 * @param outputsFirst whether it is stored {@code [out, in]}, else {@code [in, out]}
 * @param bias name of a stored vector {@code [out]}, or empty
 */
record WeightProduct(
    OnnxNode node, String x, Initializer weight, boolean outputsFirst, String bias) {

  /** Size of the axis that the product sums over. */
  long in() {
    return weight.shape().get(outputsFirst ? 1 : 0);
  }

  long out() {
    return weight.shape().get(outputsFirst ? 0 : 1);
  }

  /** The weight {@code [out, in]}. */
  Initializer rows() {
    return outputsFirst ? weight : weight.transposed();
  }

  /** The product that {@code node} is, or null where it is none. */
  static @Nullable WeightProduct of(OnnxNode node, GraphEdit graph) {
    if (node.inputs().size() < 2) {
      return null;
    }
    String x = node.inputs().get(0);
    String w = node.inputs().get(1);
    return switch (node.domain() + node.operator()) {
      case "MatMul" -> {
        OnnxNode made = graph.producer(w);
        boolean turned =
            made != null
                && made.operator().equals("Transpose")
                && (made.attributes().get("perm") instanceof long[] perm
                    && perm.length == 2
                    && perm[0] == 1);
        yield turned
            ? of(node, x, Objects.requireNonNull(made).inputs().get(0), true, "", graph)
            : of(node, x, w, false, "", graph);
      }
      case "com.microsoftFusedMatMul" ->
          plain(node, "transA") && number(node, "alpha", 1) == 1
              ? of(node, x, w, !plain(node, "transB"), "", graph)
              : null;
      case "Gemm" -> {
        String bias = node.inputs().size() > 2 ? node.inputs().get(2) : "";
        yield plain(node, "transA")
                && number(node, "alpha", 1) == 1
                && (bias.isEmpty() || number(node, "beta", 1) == 1)
            ? of(node, x, w, !plain(node, "transB"), bias, graph)
            : null;
      }
      default -> null;
    };
  }

  private static @Nullable WeightProduct of(
      OnnxNode node, String x, String w, boolean outputsFirst, String bias, GraphEdit graph) {
    Initializer weight = graph.constant(w);
    if (weight == null
        || weight.type() != DataType.FLOAT32
        || weight.shape().dimension() != 2
        || weight.size() == 0
        || graph.constant(x) != null) {
      return null;
    }
    WeightProduct product = new WeightProduct(node, x, weight, outputsFirst, bias);
    if (!bias.isEmpty()) {
      Initializer b = graph.constant(bias);
      if (b == null || b.shape().dimension() != 1 || b.shape().get(0) != product.out()) {
        return null;
      }
    }
    return product;
  }

  private static boolean plain(OnnxNode node, String flag) {
    return number(node, flag, 0) == 0;
  }

  private static double number(OnnxNode node, String attribute, double otherwise) {
    return node.attributes().get(attribute) instanceof Number n ? n.doubleValue() : otherwise;
  }
}
