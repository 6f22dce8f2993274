package org.peft4j.onnx;

import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Versions of ONNX's own operators. A graph is written in the lowest version that has all it uses,
 * from {@value #BASE} on (ONNX Runtime 1.12, 2022), so that older runtimes can load it.
 */
final class Opsets {
  static final int BASE = 17;

  /** Where an operator, as it is written here, came after the base version. */
  private static final Map<String, Integer> SINCE =
      Map.of(
          "Gelu", 20,
          "Resize", 18, // antialias
          "GroupNormalization", 21,
          "RMSNormalization", 23,
          "RotaryEmbedding", 23,
          "Attention", 23,
          "Swish", 24);

  /** File format versions, by the version of operators they came with. */
  private static final Map<Integer, Integer> IR =
      new TreeMap<>(Map.of(17, 8, 19, 9, 21, 10, 23, 11, 24, 12));

  /** Reductions that take their axes as an attribute up to version 17, as an operand afterwards. */
  private static final Set<String> REDUCTIONS =
      Set.of("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2");

  private Opsets() {}

  static int of(Iterable<OnnxNode> nodes) {
    int version = BASE;
    for (OnnxNode n : nodes) {
      version =
          Math.max(version, n.domain().isEmpty() ? SINCE.getOrDefault(n.operator(), BASE) : BASE);
    }
    return version;
  }

  static int ir(int opset) {
    int ir = 0;
    for (Map.Entry<Integer, Integer> e : IR.entrySet()) {
      ir = e.getKey() <= opset ? e.getValue() : ir;
    }
    return ir;
  }

  /** Whether a reduction's axes are an operand in this version. */
  static boolean axesAreOperand(String operator, int opset) {
    return operator.equals("ReduceSum") || (REDUCTIONS.contains(operator) && opset > 17);
  }
}
