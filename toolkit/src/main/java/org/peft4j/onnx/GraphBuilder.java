package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.onnx.Emission.Ref;
import org.peft4j.tensor.Torch;

/**
 * Makes a graph of aligned traces. What depends on no input becomes a stored tensor under the name
 * of the parameter it stems from; nodes that change nothing are left out; a size is written as a
 * number, as "the same as before" or "the rest" where it can be, and computed only where it cannot.
 */
final class GraphBuilder {
  /**
   * A rearranged copy of a stored tensor is not stored a second time from this many elements on.
   */
  private static final long SHARED = 1024;

  private static final Set<String> REARRANGEMENTS =
      Set.of("Transpose", "Reshape", "Unsqueeze", "Squeeze");

  private final Alignment alignment;
  private final List<Input> inputs;
  private final List<String> outputs;
  private final boolean contrib;
  private final Emission emission = new Emission();
  private final SymbolicIntegers symbols;
  private final NDManager owner = Torch.newManager();
  private final boolean[] constant;
  private final Map<Value, Node> producers = new HashMap<>();
  private final Set<Value> live = new HashSet<>();
  private final Set<Value> shared = new HashSet<>();
  private final Map<Value, Ref> refs = new HashMap<>();

  GraphBuilder(Alignment alignment, List<Input> inputs, List<String> outputs, boolean contrib) {
    this.alignment = alignment;
    this.inputs = inputs;
    this.outputs = outputs;
    this.contrib = contrib;
    symbols = new SymbolicIntegers(emission, alignment);
    constant = new boolean[alignment.first().values().size()];
  }

  OnnxGraph build(Map<String, String> metadata) {
    boolean done = false;
    try {
      findConstants();
      findLive();
      inputs.forEach(i -> emission.reserve(i.name()));
      outputs.forEach(emission::reserve);
      readInputs();
      for (Node n : alignment.first().nodes()) {
        if (n.outputs().stream().anyMatch(v -> v != null && live.contains(v) && !constant[v.id])) {
          emit(n);
        }
      }
      List<Ref> results = alignment.first().outputs().stream().map(v -> ref(v, null)).toList();
      Emission.Parts parts = emission.finish(outputs, results);
      OnnxGraph graph =
          new OnnxGraph(
              parts.nodes(),
              parts.initializers(),
              values(),
              results(),
              parts.opset(),
              metadata,
              owner);
      done = true;
      return graph;
    } finally {
      if (!done) {
        owner.close();
      }
    }
  }

  private List<GraphValue> values() {
    return inputs.stream()
        .map(i -> new GraphValue(i.name(), i.type(), i.dims().stream().map(Dim::label).toList()))
        .toList();
  }

  private List<GraphValue> results() {
    List<GraphValue> values = new ArrayList<>();
    for (int i = 0; i < outputs.size(); i++) {
      Value v = alignment.first().outputs().get(i);
      values.add(
          new GraphValue(
              outputs.get(i),
              v.type,
              Arrays.stream(alignment.dims(v)).map(symbols::label).toList()));
    }
    return values;
  }

  private void readInputs() {
    Map<String, Input> byName = new HashMap<>();
    inputs.forEach(i -> byName.put(i.name(), i));
    for (Value v : alignment.first().values()) {
      if (v.kind == Value.Kind.INPUT) {
        Ref ref = emission.input(v.name);
        refs.put(v, ref);
        List<Dim> dims = Objects.requireNonNull(byName.get(v.name)).dims();
        for (int axis = 0; axis < dims.size(); axis++) {
          symbols.source(dims.get(axis), ref, axis);
        }
      }
    }
  }

  // ---- which values are constants, and which are needed

  private void findConstants() {
    for (Node n : alignment.first().nodes()) {
      n.outputs().stream().filter(Objects::nonNull).forEach(v -> producers.put(v, n));
    }
    for (Value v : alignment.first().values()) {
      Node n = producers.get(v);
      constant[v.id] =
          v.kind != Value.Kind.INPUT
              && alignment.steady(v)
              && (n == null || n.inputs().stream().allMatch(i -> constant[i.id]));
    }
  }

  private void findLive() {
    Deque<Value> queue = new ArrayDeque<>(alignment.first().outputs());
    while (!queue.isEmpty()) {
      Value v = queue.remove();
      if (live.add(v) && !constant[v.id] && producers.get(v) != null) {
        queue.addAll(Objects.requireNonNull(producers.get(v)).inputs());
      }
    }
    // a tied weight that is used as it is and rearranged
    for (Value v : live) {
      Node n = producers.get(v);
      if (n != null && constant[v.id] && REARRANGEMENTS.contains(n.operator())) {
        Value stored = n.inputs().get(0);
        if (stored.kind == Value.Kind.PARAMETER
            && live.contains(stored)
            && stored.shape.size() >= SHARED) {
          shared.add(v);
        }
      }
    }
  }

  // ---- values

  private Ref ref(Value v, @Nullable Node user) {
    Ref known = refs.get(v);
    if (known == null) {
      known = make(v, user);
      refs.put(v, known);
    }
    return known;
  }

  private Ref make(Value v, @Nullable Node user) {
    Node at = user != null ? user : producers.get(v);
    if (v.kind == Value.Kind.INTEGERS) {
      return symbols.of(alignment.integers(v), v.scalar(), Objects.requireNonNull(at));
    }
    if (v.kind == Value.Kind.NUMBER && constant[v.id]) {
      return emission.number(Objects.requireNonNull(v.single()), v.type);
    }
    if (shared.contains(v)) {
      Node n = Objects.requireNonNull(producers.get(v));
      emit(n);
      return Objects.requireNonNull(refs.get(v));
    }
    if (constant[v.id]) {
      return emission.constant(name(v), kept(v));
    }
    Alignment.Extent number = alignment.number(v);
    if (number != null) {
      return symbols.number(number, v.type, v.scalar(), Objects.requireNonNull(at));
    }
    throw new ExportException(
        "a constant of shape "
            + v.shape
            + " that was made from Java data depends on the sizes"
            + (at == null ? "" : "\nat: " + at)
            + "\nfix: build it with arange, full and comparisons, or make it an input");
  }

  /** The array of a constant; one that is computed outlives the trace. */
  private NDArray kept(Value v) {
    NDArray array = v.real();
    if (v.kind != Value.Kind.PARAMETER) {
      array.attach(owner);
    }
    return array;
  }

  /** The parameter's name, where a constant is one or stems from one of the same size. */
  private static String name(Value v) {
    Deque<Value> queue = new ArrayDeque<>(List.of(v));
    Set<Value> seen = new HashSet<>();
    while (!queue.isEmpty()) {
      Value s = queue.pop();
      if (s.kind == Value.Kind.PARAMETER && s.shape.size() == v.shape.size()) {
        return s.name;
      }
      for (int i = s.sources.size() - 1; i >= 0; i--) {
        if (seen.add(s.sources.get(i))) {
          queue.push(s.sources.get(i));
        }
      }
    }
    return "";
  }

  // ---- nodes

  private void emit(Node n) {
    switch (n.operator()) {
      case "Reshape" -> reshape(n);
      case "Expand" -> expand(n);
      case "Slice" -> slice(n);
      case "Gather" -> gather(n);
      case "MatMul" -> product(n);
      default ->
          plain(
              n,
              n.inputs().stream()
                  .map(v -> v.kind == Value.Kind.ABSENT ? null : ref(v, n))
                  .toList());
    }
  }

  private void plain(Node n, List<? extends @Nullable Ref> operands) {
    List<Boolean> wanted = n.outputs().stream().map(v -> v != null).toList();
    List<@Nullable Ref> made =
        emission.nodes(n.domain(), n.operator(), n.attributes(), operands, wanted, n.site().text());
    for (int i = 0; i < made.size(); i++) {
      Value v = n.outputs().get(i);
      Ref r = made.get(i);
      if (v != null && r != null) {
        refs.put(v, r);
      }
    }
  }

  private void alias(Node n) {
    refs.put(result(n), ref(n.inputs().get(0), n));
  }

  private static Value result(Node n) {
    return Objects.requireNonNull(n.outputs().get(0));
  }

  private void reshape(Node n) {
    Value x = n.inputs().get(0);
    Alignment.Extent[] from = alignment.dims(x);
    Alignment.Extent[] to = alignment.integers(n.inputs().get(1));
    if (Arrays.equals(from, to)) {
      alias(n);
      return;
    }
    long[] target = new long[to.length];
    int open = 0;
    for (int i = 0; i < to.length; i++) {
      boolean same = i < from.length && from[i].equals(to[i]);
      target[i] = to[i].constant() ? to[i].first() : same ? 0 : -1;
      open += target[i] == -1 ? 1 : 0;
    }
    Ref shape = open <= 1 ? emission.integers(false, target) : symbols.of(to, false, n);
    plain(n, List.of(ref(x, n), shape));
  }

  private void expand(Node n) {
    Value x = n.inputs().get(0);
    Alignment.Extent[] from = alignment.dims(x);
    Alignment.Extent[] to = alignment.integers(n.inputs().get(1));
    if (Arrays.equals(from, to)) {
      alias(n);
      return;
    }
    Alignment.Extent[] target = to.clone();
    int offset = to.length - from.length;
    for (int i = Math.max(0, offset); i < to.length; i++) {
      if (from[i - offset].equals(to[i])) {
        target[i] = to[i].always(1); // leaves the axis as it is
      }
    }
    plain(n, List.of(ref(x, n), symbols.of(target, false, n)));
  }

  private void slice(Node n) {
    Value x = n.inputs().get(0);
    Alignment.Extent[] starts = alignment.integers(n.inputs().get(1));
    Alignment.Extent[] ends = alignment.integers(n.inputs().get(2));
    long[] axes = n.inputs().get(3).integers();
    long[] steps = n.inputs().get(4).integers();
    boolean whole = true;
    for (int i = 0; i < ends.length; i++) {
      Alignment.Extent size = alignment.dim(x, (int) axes[i]);
      if (ends[i].equals(size)) {
        ends[i] = ends[i].always(Long.MAX_VALUE);
      }
      whole &=
          starts[i].constant()
              && starts[i].first() == 0
              && ends[i].constant()
              && ends[i].first() == Long.MAX_VALUE
              && steps[i] == 1;
    }
    if (whole) {
      alias(n);
      return;
    }
    plain(
        n,
        List.of(
            ref(x, n),
            symbols.of(starts, false, n),
            symbols.of(ends, false, n),
            ref(n.inputs().get(3), n),
            ref(n.inputs().get(4), n)));
  }

  /** A single index that is the last one is written as -1. */
  private void gather(Node n) {
    Value x = n.inputs().get(0);
    Value index = n.inputs().get(1);
    Ref at = null;
    if (index.kind == Value.Kind.INTEGERS && index.scalar()) {
      Alignment.Extent i = alignment.integers(index)[0];
      Alignment.Extent size =
          alignment.dim(x, (int) (long) (Long) Objects.requireNonNull(n.attributes().get("axis")));
      at = !i.constant() && i.plus(1).equals(size) ? emission.integers(true, -1) : null;
    }
    plain(n, List.of(ref(x, n), at != null ? at : ref(index, n)));
  }

  /**
   * A weight that is also stored untransposed is transposed in the product, where the runtime can.
   */
  private void product(Node n) {
    Value w = n.inputs().get(1);
    Node t = producers.get(w);
    if (contrib
        && shared.contains(w)
        && w.type == DataType.FLOAT32
        && t != null
        && t.operator().equals("Transpose")
        && w.shape.dimension() == 2) {
      List<@Nullable Ref> made =
          emission.nodes(
              "com.microsoft",
              "FusedMatMul",
              Map.of("transB", 1L),
              List.of(ref(n.inputs().get(0), n), ref(t.inputs().get(0), n)),
              List.of(true),
              n.site().text());
      refs.put(result(n), Objects.requireNonNull(made.get(0)));
      return;
    }
    plain(n, List.of(ref(n.inputs().get(0), n), ref(w, n)));
  }
}
