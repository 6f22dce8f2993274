package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Emitters of sums, orders and products: what looks along axes. */
final class Reductions {
  /** Axes of a reduction; {@link Opsets} makes an operand of them where the version wants one. */
  static final String AXES = "axes";

  private Reductions() {}

  static Emitter reduce(String operator) {
    return call -> {
      int[] axes = call.count() > 0 ? call.argument(0, int[].class) : new int[0];
      boolean keep = call.count() > 1 && call.argument(1, Boolean.class);
      return reduce(call, operator, axes, keep);
    };
  }

  private static NDArray reduce(Call call, String operator, int[] axes, boolean keep) {
    Value x = call.trace().cast(call.self(), call.result().getDataType());
    return call.one(operator, attributes(axes, keep, x.shape.dimension()), x);
  }

  static Map<String, Object> attributes(int[] axes, boolean keep, int rank) {
    Map<String, Object> attributes = new TreeMap<>(Map.of("keepdims", keep ? 1L : 0L));
    if (axes.length > 0) {
      attributes.put(
          AXES, Arrays.stream(axes).mapToLong(a -> Math.floorMod(a, rank)).sorted().toArray());
    }
    return attributes;
  }

  static Emitter truth(String operator, boolean negated) {
    return call -> {
      Trace trace = call.trace();
      Value x = trace.cast(trace.cast(call.self(), DataType.BOOLEAN), DataType.INT32);
      NDArray real =
          trace.own(
              () ->
                  (negated ? call.result().logicalNot() : call.result())
                      .toType(DataType.INT32, true));
      NDArray y =
          trace
              .array(trace.node(operator, attributes(new int[0], false, 0), real, x))
              .toType(DataType.BOOLEAN, false);
      return negated ? y.logicalNot() : y;
    };
  }

  static @Nullable Object norm(Call call) {
    int order = call.count() == 3 ? call.integer(0) : 2;
    int[] axes =
        call.count() == 3
            ? call.argument(1, int[].class)
            : call.count() == 2 ? call.argument(0, int[].class) : new int[0];
    if (call.count() == 1 && !(call.argument(0) instanceof Boolean)) {
      return call.array().norm(call.argument(0, int[].class), false);
    }
    boolean keep = call.count() > 0 && call.argument(call.count() - 1, Boolean.class);
    if (order != 1 && order != 2) {
      throw call.unsupported("only norms of order 1 and 2 have an operator, not " + order);
    }
    return reduce(call, "ReduceL" + order, axes, keep);
  }

  /** {@code x / max(|x|_p, epsilon)}. */
  static NDArray normalize(Call call) {
    double p = call.count() == 0 ? 2 : call.argument(0, Double.class);
    int axis = call.count() == 0 ? 1 : (int) (long) call.argument(1, Long.class);
    double epsilon = call.count() < 3 ? 1e-12 : call.argument(2, Double.class);
    NDArray x = call.array();
    int[] axes = {axis};
    NDArray norm =
        p == 1 || p == 2 ? x.norm((int) p, axes, true) : x.abs().pow(p).sum(axes, true).pow(1 / p);
    return x.div(norm.maximum(epsilon));
  }

  static Emitter arg(String operator) {
    return call -> {
      if (call.count() == 0) {
        NDArray flat = call.array().flatten();
        return operator.equals("ArgMax") ? flat.argMax(0) : flat.argMin(0);
      }
      return call.one(operator, Map.of("axis", (long) call.axis(0), "keepdims", 0L), call.self());
    };
  }

  static NDArray cumulativeSum(Call call) {
    int axis = call.count() == 0 ? 0 : call.axis(0);
    Value x = call.trace().cast(call.self(), call.result().getDataType());
    return call.one("CumSum", Map.of(), x, call.trace().scalarInteger(axis));
  }

  static NDList topK(Call call) {
    if (call.count() < 4) {
      return call.array().topK(call.integer(0), call.integer(1), true, true);
    }
    NDList r = call.results();
    return topK(
        call,
        call.integer(0),
        call.axis(1),
        call.argument(2, Boolean.class),
        call.argument(3, Boolean.class),
        r.get(0),
        r.get(1));
  }

  static NDArray sort(Call call) {
    int axis = call.count() == 0 ? call.self().shape.dimension() - 1 : call.axis(0);
    Trace trace = call.trace();
    NDArray indices = trace.own(() -> call.self().real().argSort(axis));
    return topK(call, call.self().shape.get(axis), axis, false, true, call.result(), indices)
        .get(0);
  }

  static NDArray argSort(Call call) {
    int axis = call.count() == 0 ? call.self().shape.dimension() - 1 : call.axis(0);
    boolean ascending = call.count() < 2 || call.argument(1, Boolean.class);
    Trace trace = call.trace();
    NDArray values = trace.own(() -> call.self().real().sort(axis));
    return topK(call, call.self().shape.get(axis), axis, !ascending, true, values, call.result())
        .get(1);
  }

  private static NDList topK(
      Call call,
      long k,
      int axis,
      boolean largest,
      boolean sorted,
      NDArray values,
      NDArray indices) {
    Map<String, Object> attributes =
        Map.of("axis", (long) axis, "largest", largest ? 1L : 0L, "sorted", sorted ? 1L : 0L);
    Trace trace = call.trace();
    NDList out = new NDList();
    for (@Nullable Value v :
        trace.nodes(
            "",
            "TopK",
            attributes,
            List.of(values, indices),
            List.of(call.self(), trace.integers(k)))) {
      out.add(trace.array(Objects.requireNonNull(v)));
    }
    return out;
  }

  static NDArray product(Call call) {
    return call.one("MatMul", Map.of(), call.self(), call.operand(0));
  }
}
