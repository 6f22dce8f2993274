package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.onnx.Emission.Ref;
import org.peft4j.tensor.Torch;

/**
 * Makes a graph of aligned traces. Constants become stored tensors under the name of the parameter
 * they stem from; nodes that change nothing are left out; a size is written as a number, as "the
 * same as before" or "the rest" where it can be, and computed only where it cannot.
 */
final class GraphBuilder {
  private final Alignment alignment;
  private final Folding folding;
  private final List<Input> inputs;
  private final List<String> outputs;
  private final boolean contrib;
  private final Emission emission = new Emission();
  private final SymbolicIntegers symbols;
  private final NDManager owner = Torch.newManager();
  private final Map<Value, Ref> refs = new HashMap<>();

  GraphBuilder(
      Alignment alignment,
      List<Input> inputs,
      List<String> outputs,
      boolean contrib,
      Set<String> unread) {
    this.alignment = alignment;
    this.folding = new Folding(alignment);
    this.inputs = inputs;
    this.outputs = outputs;
    this.contrib = contrib;
    symbols = new SymbolicIntegers(emission, alignment, unread);
  }

  OnnxGraph build(Map<String, String> metadata) {
    boolean done = false;
    try {
      inputs.forEach(i -> emission.reserve(i.name()));
      outputs.forEach(emission::reserve);
      readInputs();
      alignment.first().nodes().stream().filter(folding::live).forEach(this::emit);
      List<Ref> results = alignment.first().outputs().stream().map(v -> ref(v, null)).toList();
      Emission.Parts parts = emission.finish(outputs, results);
      OnnxGraph graph =
          new OnnxGraph(
              parts.nodes(),
              parts.initializers(),
              values(),
              results(),
              parts.values(),
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

  // ---- values

  /**
   * @param user what needs it, for messages
   */
  private Ref ref(Value value, @Nullable Node user) {
    Value v = folding.representative(value);
    Ref known = refs.get(v);
    if (known == null) {
      known = make(v, user != null ? user : folding.producer(v));
      refs.put(v, known);
    }
    return known;
  }

  private Ref make(Value v, @Nullable Node at) {
    if (v.kind == Value.Kind.INTEGERS) {
      return symbols.of(alignment.integers(v), v.scalar(), Objects.requireNonNull(at));
    }
    if (folding.shared(v)) {
      emit(Objects.requireNonNull(folding.producer(v)));
      return Objects.requireNonNull(refs.get(v));
    }
    if (folding.constant(v)) {
      Number number = v.single();
      return v.kind == Value.Kind.NUMBER && number != null
          ? emission.number(number, v.type)
          : emission.constant(Folding.name(v), kept(v));
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

  /** The array of a constant; one that was computed outlives the trace. */
  private NDArray kept(Value v) {
    NDArray array = v.real();
    if (v.kind != Value.Kind.PARAMETER) {
      array.attach(owner);
    }
    return array;
  }

  // ---- nodes

  private void emit(Node n) {
    switch (n.operator()) {
      case "Reshape" -> reshape(n);
      case "Expand" -> expand(n);
      case "Slice" -> slice(n);
      case "Gather" -> gather(n);
      case "MatMul" -> product(n);
      default -> {
        List<@Nullable Ref> operands = new ArrayList<>();
        n.inputs().forEach(v -> operands.add(v.kind == Value.Kind.ABSENT ? null : ref(v, n)));
        plain(n, operands);
      }
    }
  }

  private void plain(Node n, List<? extends @Nullable Ref> operands) {
    List<Boolean> wanted = n.outputs().stream().map(Objects::nonNull).toList();
    List<@Nullable Ref> made =
        emission.nodes(n.domain(), n.operator(), n.attributes(), operands, wanted, n.site().text());
    for (int i = 0; i < made.size(); i++) {
      Value v = n.outputs().get(i);
      Ref r = made.get(i);
      if (v != null && r != null) {
        put(v, r);
      }
    }
  }

  private void put(Value v, Ref made) {
    refs.put(v, made);
    if (v.type.isFloating()) { // what DJL has as bytes may be a truth value in the graph
      List<String> dims = Arrays.stream(alignment.dims(v)).map(symbols::known).toList();
      emission.describe(made, v.type, dims);
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
      if (ends[i].equals(alignment.dim(x, (int) axes[i]))) {
        ends[i] = ends[i].always(Long.MAX_VALUE);
      }
      whole &=
          starts[i].always(0).equals(starts[i])
              && ends[i].always(Long.MAX_VALUE).equals(ends[i])
              && steps[i] == 1;
    }
    if (whole) {
      alias(n);
      return;
    }
    Ref from = symbols.of(starts, false, n);
    Ref to = symbols.of(ends, false, n);
    plain(n, List.of(ref(x, n), from, to, ref(n.inputs().get(3), n), ref(n.inputs().get(4), n)));
  }

  /** A single index that is the last one is written as -1. */
  private void gather(Node n) {
    Value x = n.inputs().get(0);
    Value index = n.inputs().get(1);
    Ref at = null;
    if (index.kind == Value.Kind.INTEGERS) {
      Alignment.Extent i = alignment.integers(index)[0];
      Alignment.Extent size =
          alignment.dim(x, ((Long) Objects.requireNonNull(n.attributes().get("axis"))).intValue());
      at = !i.constant() && i.plus(1).equals(size) ? emission.integers(true, -1) : null;
    }
    plain(n, List.of(ref(x, n), at != null ? at : ref(index, n)));
  }

  /**
   * A weight that is also stored untransposed is transposed by the product, where the runtime can.
   */
  private void product(Node n) {
    Value w = n.inputs().get(1);
    Node t = folding.producer(w);
    boolean fused =
        contrib && folding.shared(w) && w.type == DataType.FLOAT32 && w.shape.dimension() == 2;
    if (fused && t != null && t.operator().equals("Transpose")) {
      List<Ref> operands = List.of(ref(n.inputs().get(0), n), ref(t.inputs().get(0), n));
      List<@Nullable Ref> made =
          emission.nodes(
              "com.microsoft",
              "FusedMatMul",
              Map.of("transB", 1L),
              operands,
              List.of(true),
              n.site().text());
      put(result(n), Objects.requireNonNull(made.get(0)));
      return;
    }
    plain(n, List.of(ref(n.inputs().get(0), n), ref(w, n)));
  }
}
