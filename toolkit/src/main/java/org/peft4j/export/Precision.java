package org.peft4j.export;

import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxNode;

/**
 * Decides which nodes of a float32 graph may compute in float16.
 *
 * <ul>
 *   <li>Products, convolutions and activations do, and lookups in stored tables.
 *   <li>Sums, products and quotients element by element do, except in the neighbourhood of a
 *       normalisation or a softmax, and where a constant does not fit float16 (a mask's large
 *       negative number, an epsilon).
 *   <li>What moves elements follows what it moves.
 *   <li>What is computed from whole numbers only (positions, masks, rotary angles) does not.
 *   <li>Everything else does not: normalisations, softmax, reductions, what exists in float32 only,
 *       and what is not known here.
 * </ul>
 */
final class Precision {
  private static final Set<String> HALF =
      Set.of(
          "MatMul",
          "Gemm",
          "FusedMatMul",
          "Conv",
          "ConvTranspose",
          "Einsum",
          "Relu",
          "Sigmoid",
          "Tanh",
          "Gelu",
          "FastGelu",
          "QuickGelu",
          "BiasGelu",
          "Erf",
          "LeakyRelu",
          "Elu",
          "Selu",
          "Softplus",
          "Softsign",
          "HardSigmoid",
          "HardSwish",
          "PRelu",
          "MaxPool",
          "RotaryEmbedding");

  private static final Set<String> ELEMENTWISE =
      Set.of("Add", "Sub", "Mul", "Div", "Neg", "Abs", "Min", "Max", "Where", "Clip");

  private static final Set<String> MOVING =
      Set.of(
          "Reshape",
          "Transpose",
          "Slice",
          "Concat",
          "Split",
          "Expand",
          "Tile",
          "Pad",
          "Squeeze",
          "Unsqueeze",
          "Flatten",
          "Identity",
          "Gather",
          "GatherElements",
          "GatherND",
          "Trilu");

  /** Whose results belong with what they came from: the parts of a norm or a softmax by hand. */
  private static final Set<String> STATISTICS =
      Set.of(
          "ReduceMean",
          "ReduceSum",
          "ReduceSumSquare",
          "ReduceL1",
          "ReduceL2",
          "ReduceMax",
          "ReduceMin",
          "ReduceProd",
          "ReduceLogSumExp",
          "Pow",
          "Sqrt",
          "Reciprocal",
          "Exp",
          "Log");

  /** Where a value comes from. */
  private enum Origin {
    STORED,
    INTEGERS,
    FLOW
  }

  private final OnnxGraph graph;
  private final Predicate<OnnxNode> kept;
  private final Set<String> floats;
  private final Set<String> results = new HashSet<>();
  private final Map<String, OnnxNode> producers = new HashMap<>();
  private final Map<String, Origin> origins = new HashMap<>();
  private final Set<String> overflowing = new HashSet<>();
  private final Set<String> falsified = new HashSet<>();
  private final Set<OnnxNode> feeding = identitySet();
  private final Set<OnnxNode> half = identitySet();
  private final Set<String> halfValues = new HashSet<>();

  /**
   * @param kept nodes that are to compute in float32 in any case
   */
  Precision(OnnxGraph graph, Predicate<OnnxNode> kept) {
    this.graph = graph;
    this.kept = kept;
    floats = FloatValues.of(graph);
    graph.outputs().forEach(o -> results.add(o.name()));
    graph.nodes().forEach(n -> n.outputs().forEach(o -> producers.put(o, n)));
    readConstants();
    findFeeding();
    graph.nodes().forEach(this::decide);
  }

  private static Set<OnnxNode> identitySet() {
    return java.util.Collections.newSetFromMap(new IdentityHashMap<>());
  }

  boolean isFloat(String value) {
    return floats.contains(value);
  }

  /** Whether a node computes in float16. */
  boolean isHalf(OnnxNode node) {
    return half.contains(node);
  }

  /** Whether a float32 value may lie beyond float16's range, as a masked score does. */
  boolean overflows(String value) {
    return overflowing.contains(value);
  }

  private void readConstants() {
    Set<String> inputs = new HashSet<>();
    graph.inputs().forEach(i -> inputs.add(i.name()));
    inputs.forEach(i -> origins.put(i, floats.contains(i) ? Origin.FLOW : Origin.INTEGERS));
    for (Initializer tensor : graph.initializers()) {
      if (inputs.contains(tensor.name())) {
        continue; // may be given at run time
      }
      origins.put(tensor.name(), Origin.STORED);
      if (floats.contains(tensor.name())) {
        HalfTensor t = new HalfTensor(tensor);
        if (t.overflows()) {
          overflowing.add(tensor.name());
        } else if (t.falsified()) {
          falsified.add(tensor.name());
        }
      }
    }
  }

  /** Finds the elementwise nodes whose results only such nodes use as compute in float32. */
  private void findFeeding() {
    Map<String, Set<OnnxNode>> users = new HashMap<>();
    for (int i = graph.nodes().size() - 1; i >= 0; i--) {
      OnnxNode n = graph.nodes().get(i);
      boolean simple = ELEMENTWISE.contains(n.operator()) || MOVING.contains(n.operator());
      Set<OnnxNode> all = identitySet();
      n.outputs().forEach(o -> all.addAll(users.getOrDefault(o, Set.of())));
      if (simple
          && !all.isEmpty()
          && n.outputs().stream().noneMatch(results::contains)
          && all.stream().allMatch(u -> feeding.contains(u) || isFull(u))) {
        feeding.add(n);
      }
      n.inputs().forEach(v -> users.computeIfAbsent(v, k -> identitySet()).add(n));
    }
  }

  /** Whether a node computes in float32 whatever flows into it. */
  private boolean isFull(OnnxNode n) {
    return kept.test(n)
        || !(HALF.contains(n.operator())
            || ELEMENTWISE.contains(n.operator())
            || MOVING.contains(n.operator()));
  }

  private void decide(OnnxNode n) {
    List<String> operands =
        n.inputs().stream().filter(v -> !v.isEmpty() && floats.contains(v)).toList();
    Origin origin = origin(n, operands);
    n.outputs().forEach(o -> origins.put(o, origin));
    if (carries(n) && operands.stream().anyMatch(overflowing::contains)) {
      overflowing.addAll(n.outputs());
    }
    boolean float32 = n.outputs().stream().noneMatch(floats::contains) || isFull(n);
    if (!float32 && (origin == Origin.STORED || origin == Origin.FLOW) && fits(n, operands)) {
      half.add(n);
      n.outputs().stream().filter(floats::contains).forEach(halfValues::add);
    }
  }

  private Origin origin(OnnxNode n, List<String> operands) {
    boolean lookup = n.operator().startsWith("Gather");
    if (operands.stream().anyMatch(v -> origins.get(v) == Origin.FLOW)) {
      return Origin.FLOW;
    }
    if (operands.stream().anyMatch(v -> origins.get(v) == Origin.INTEGERS)) {
      return Origin.INTEGERS;
    }
    boolean open =
        n.inputs().stream().anyMatch(v -> !v.isEmpty() && origins.get(v) != Origin.STORED);
    if (!open) {
      return Origin.STORED;
    }
    if (lookup && !operands.isEmpty()) {
      return Origin.FLOW; // an embedding
    }
    return MOVING.contains(n.operator()) && !operands.isEmpty() ? Origin.STORED : Origin.INTEGERS;
  }

  /** Whether a node's result is as large as its operands. */
  private static boolean carries(OnnxNode n) {
    return ELEMENTWISE.contains(n.operator()) || MOVING.contains(n.operator());
  }

  /** Whether what a node does fits float16, given where it stands. */
  private boolean fits(OnnxNode n, List<String> operands) {
    if (HALF.contains(n.operator())) {
      return operands.stream()
          .noneMatch(v -> origins.get(v) == Origin.STORED && overflowing.contains(v));
    }
    if (operands.stream().anyMatch(v -> overflowing.contains(v) || falsified.contains(v))) {
      return false;
    }
    List<String> flowing = operands.stream().filter(v -> origins.get(v) != Origin.STORED).toList();
    if (MOVING.contains(n.operator())) {
      return halfValues.containsAll(flowing);
    }
    boolean all32 = !flowing.isEmpty() && flowing.stream().noneMatch(halfValues::contains);
    return !all32 && !feeding.contains(n) && operands.stream().noneMatch(this::isStatistic);
  }

  private boolean isStatistic(String value) {
    OnnxNode producer = producers.get(value);
    return producer != null && STATISTICS.contains(producer.operator());
  }
}
