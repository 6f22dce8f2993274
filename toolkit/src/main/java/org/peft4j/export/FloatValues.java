package org.peft4j.export;

import ai.djl.ndarray.types.DataType;
import java.util.HashSet;
import java.util.Set;
import org.peft4j.onnx.GraphValue;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxNode;

/** Finds the values of a graph that are float32, which the file does not say. */
final class FloatValues {
  /** TensorProto.FLOAT. */
  private static final long FLOAT = 1;

  private static final Set<String> NEVER =
      Set.of(
          "Shape",
          "Size",
          "ArgMax",
          "ArgMin",
          "NonZero",
          "Equal",
          "Greater",
          "GreaterOrEqual",
          "Less",
          "LessOrEqual",
          "And",
          "Or",
          "Xor",
          "Not",
          "IsNaN",
          "IsInf");

  private FloatValues() {}

  static Set<String> of(OnnxGraph graph) {
    Set<String> floats = new HashSet<>();
    for (Initializer i : graph.initializers()) {
      if (i.type() == DataType.FLOAT32) {
        floats.add(i.name());
      }
    }
    for (GraphValue v : graph.inputs()) {
      if (v.type() == DataType.FLOAT32) {
        floats.add(v.name());
      }
    }
    for (OnnxNode n : graph.nodes()) {
      if (isFloat(n, floats)) {
        floats.addAll(n.outputs());
        if (n.operator().equals("TopK") || n.operator().equals("MaxPool")) {
          n.outputs().stream().skip(1).forEach(floats::remove); // positions
        }
        floats.remove("");
      }
    }
    return floats;
  }

  private static boolean isFloat(OnnxNode n, Set<String> floats) {
    if (NEVER.contains(n.operator())) {
      return false;
    }
    return switch (n.operator()) {
      case "Cast" -> n.attributes().get("to") instanceof Number to && to.longValue() == FLOAT;
      case "ConstantOfShape" -> true; // without a value it makes float32 zeros
      case "Where", "CastLike", "DequantizeLinear" -> floats.contains(n.inputs().get(1));
      case "OneHot", "GatherBlockQuantized" -> floats.contains(n.inputs().get(2));
      default -> !n.inputs().isEmpty() && floats.contains(n.inputs().get(0));
    };
  }
}
