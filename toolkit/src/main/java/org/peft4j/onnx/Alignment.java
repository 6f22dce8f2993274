package org.peft4j.onnx;

import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The traces of one block at the sizes of a grid, laid over each other: the same nodes in all of
 * them, and of each recorded number what it is in terms of the sizes.
 */
final class Alignment {
  private final Grid grid;
  private final List<Trace> traces;

  Alignment(Grid grid, List<Trace> traces) {
    this.grid = grid;
    this.traces = List.copyOf(traces);
    for (int t = 1; t < traces.size(); t++) {
      compare(t);
    }
  }

  Grid grid() {
    return grid;
  }

  Trace first() {
    return traces.get(0);
  }

  private void compare(int t) {
    List<Node> a = first().nodes();
    List<Node> b = traces.get(t).nodes();
    for (int i = 0; i < Math.min(a.size(), b.size()); i++) {
      if (!same(a.get(i), b.get(i))) {
        throw differs(t, describe(a.get(i)), describe(b.get(i)));
      }
    }
    if (a.size() != b.size()) {
      List<Node> longer = a.size() > b.size() ? a : b;
      String extra = describe(longer.get(Math.min(a.size(), b.size())));
      throw a.size() > b.size() ? differs(t, extra, "nothing") : differs(t, "nothing", extra);
    }
    if (first().values().size() != traces.get(t).values().size()
        || !ids(first().outputs()).equals(ids(traces.get(t).outputs()))) {
      throw differs(t, "other constants or outputs", "than there");
    }
    for (Value v : first().values()) {
      if (!sameRank(v, traces.get(t).values().get(v.id))) {
        throw differs(
            t,
            "a value of shape " + v.shape,
            "one of shape " + traces.get(t).values().get(v.id).shape);
      }
    }
  }

  private ExportException differs(int t, String here, String there) {
    return new ExportException(
        "the graph's structure depends on the sizes\nat "
            + grid.describe(0)
            + ": "
            + here
            + "\nat "
            + grid.describe(t)
            + ": "
            + there
            + "\nfix: compute the same operations whatever the sizes, or give the dimension a "
            + "fixed size");
  }

  private static String describe(Node n) {
    return n.operator() + attributes(n) + " (" + n.site() + ")";
  }

  private static boolean same(Node a, Node b) {
    return a.operator().equals(b.operator())
        && a.domain().equals(b.domain())
        && ids(a.inputs()).equals(ids(b.inputs()))
        && ids(a.outputs()).equals(ids(b.outputs()))
        && attributes(a).equals(attributes(b))
        && sameRanks(a.inputs(), b.inputs());
  }

  private static boolean sameRanks(List<Value> a, List<Value> b) {
    for (int i = 0; i < a.size(); i++) {
      if (!sameRank(a.get(i), b.get(i))) {
        return false;
      }
    }
    return true;
  }

  private static boolean sameRank(Value a, Value b) {
    return a.kind == b.kind
        && a.type == b.type
        && a.shape.dimension() == b.shape.dimension()
        && a.integers().length == b.integers().length;
  }

  private static List<Integer> ids(List<? extends @Nullable Value> values) {
    return values.stream().map(v -> v == null ? -1 : v.id).toList();
  }

  static String attributes(Node n) {
    return n.attributes().entrySet().stream()
        .map(e -> e.getKey() + "=" + text(e.getValue()))
        .collect(
            Collectors.joining(
                ", ", n.attributes().isEmpty() ? "" : "[", n.attributes().isEmpty() ? "" : "]"));
  }

  static String text(Object attribute) {
    return attribute instanceof long[] longs
        ? Arrays.toString(longs)
        : attribute instanceof float[] floats ? Arrays.toString(floats) : String.valueOf(attribute);
  }

  /** A whole number as it was in each trace. */
  static final class Extent {
    private final Grid grid;
    private final long[] samples;

    private Extent(Grid grid, long[] samples) {
      this.grid = grid;
      this.samples = samples;
    }

    boolean constant() {
      return Arrays.stream(samples).allMatch(s -> s == samples[0]);
    }

    long first() {
      return samples[0];
    }

    /** What it is in terms of the sizes, or null. */
    @Nullable Symbol symbol() {
      return grid.solve(samples);
    }

    /** The same in all traces. */
    Extent always(long n) {
      long[] same = new long[samples.length];
      Arrays.fill(same, n);
      return new Extent(grid, same);
    }

    Extent plus(long n) {
      return new Extent(grid, Arrays.stream(samples).map(s -> s + n).toArray());
    }

    @Override
    public boolean equals(@Nullable Object other) {
      return other instanceof Extent e && Arrays.equals(samples, e.samples);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(samples);
    }

    @Override
    public String toString() {
      return Arrays.stream(samples).mapToObj(Long::toString).collect(Collectors.joining(", "));
    }
  }

  Extent dim(Value v, int axis) {
    return extent(t -> at(t, v).shape.get(axis));
  }

  Extent[] dims(Value v) {
    Extent[] dims = new Extent[v.shape.dimension()];
    Arrays.setAll(dims, i -> dim(v, i));
    return dims;
  }

  Extent[] integers(Value v) {
    Extent[] integers = new Extent[v.integers().length];
    Arrays.setAll(integers, i -> extent(t -> at(t, v).integers()[i]));
    return integers;
  }

  /** Its single number in each trace, if there is one and it is whole; else null. */
  @Nullable Extent number(Value v) {
    for (Trace t : traces) {
      Number n = at(t, v).single();
      if (n == null
          || n.doubleValue() != Math.rint(n.doubleValue())
          || Math.abs(n.doubleValue()) > 1L << 53) {
        return null;
      }
    }
    return extent(t -> Objects.requireNonNull(at(t, v).single()).longValue());
  }

  private Extent extent(java.util.function.ToLongFunction<Trace> sample) {
    return new Extent(grid, traces.stream().mapToLong(sample).toArray());
  }

  private static Value at(Trace t, Value v) {
    return t.values().get(v.id);
  }

  /** Whether it has the same shape and the same content whatever the sizes. */
  boolean steady(Value v) {
    Shape shape = v.shape;
    return traces.stream()
        .map(t -> at(t, v))
        .allMatch(
            o ->
                o.shape.equals(shape)
                    && o.sameContent(v)
                    && Arrays.equals(o.integers(), v.integers()));
  }

  /** The sizes of the grid with what a number was there. */
  String table(Extent extent) {
    StringBuilder text = new StringBuilder();
    for (int t = 0; t < grid.count(); t++) {
      text.append(t == 0 ? "" : "; ")
          .append(extent.samples[t])
          .append(" at ")
          .append(grid.describe(t));
    }
    return text.toString();
  }
}
