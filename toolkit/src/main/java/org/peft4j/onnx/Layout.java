package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Emitters of what changes an array's form, not its numbers. */
final class Layout {
  private Layout() {}

  static NDArray reshape(Call call) {
    if (call.count() == 1 && call.argument(0) instanceof long[] shape) {
      return call.array().reshape(new Shape(shape));
    }
    return call.view(
        "Reshape",
        Map.of(),
        call.self(),
        call.trace().integers(call.result().getShape().getShape()));
  }

  static NDArray expandDims(Call call) {
    int axis = Math.floorMod(call.integer(0), call.self().shape.dimension() + 1);
    return call.view("Unsqueeze", Map.of(), call.self(), call.trace().integers(axis));
  }

  static NDArray squeeze(Call call) {
    Shape shape = call.self().shape;
    int rank = shape.dimension();
    int[] asked =
        call.count() == 0
            ? IntStream.range(0, rank).toArray()
            : call.argument(0) instanceof int[] several ? several : new int[] {call.integer(0)};
    int[] axes =
        Arrays.stream(asked)
            .map(a -> Math.floorMod(a, Math.max(1, rank)))
            .filter(a -> rank > 0 && shape.get(a) == 1)
            .toArray();
    call.result(); // refuses what the engine refuses
    return axes.length == 0
        ? call.array()
        : call.view("Squeeze", Map.of(), call.self(), call.trace().integers(axes));
  }

  static NDArray transpose(Call call) {
    int rank = call.self().shape.dimension();
    int[] axes = call.count() == 0 ? new int[0] : call.argument(0, int[].class);
    int[] permutation =
        call.count() == 0
            ? IntStream.range(0, rank).map(i -> rank - 1 - i).toArray()
            : Arrays.stream(axes).map(a -> Math.floorMod(a, rank)).toArray();
    return permuted(call, permutation);
  }

  static NDArray swapAxes(Call call) {
    int[] permutation = IntStream.range(0, call.self().shape.dimension()).toArray();
    int i = call.axis(0);
    int j = call.axis(1);
    permutation[i] = j;
    permutation[j] = i;
    return permuted(call, permutation);
  }

  private static NDArray permuted(Call call, int[] permutation) {
    if (Arrays.equals(permutation, IntStream.range(0, permutation.length).toArray())) {
      return call.array();
    }
    return call.view(
        "Transpose",
        Map.of("perm", Arrays.stream(permutation).asLongStream().toArray()),
        call.self());
  }

  static NDArray flip(Call call) {
    int rank = call.self().shape.dimension();
    int[] axes =
        Arrays.stream(call.argument(0, int[].class)).map(a -> Math.floorMod(a, rank)).toArray();
    long[] last = new long[axes.length];
    Arrays.fill(last, -1);
    long[] beforeFirst = new long[axes.length];
    Arrays.fill(beforeFirst, Long.MIN_VALUE);
    Trace t = call.trace();
    return call.one(
        "Slice",
        Map.of(),
        call.self(),
        t.integers(last),
        t.integers(beforeFirst),
        t.integers(axes),
        t.integers(last));
  }

  static NDArray broadcast(Call call) {
    if (call.argument(0) instanceof long[] shape) {
      return call.array().broadcast(new Shape(shape));
    }
    return call.view(
        "Expand",
        Map.of(),
        call.self(),
        call.trace().integers(call.result().getShape().getShape()));
  }

  static NDArray tile(Call call) {
    int rank = call.self().shape.dimension();
    if (call.argument(0) instanceof Long n) {
      long[] all = new long[Math.max(1, rank)];
      Arrays.fill(all, n);
      return call.array().tile(all);
    }
    if (!(call.argument(0) instanceof long[] repeats)) {
      throw call.unsupported("the engine tiles by a number per axis only");
    }
    NDArray x = call.array();
    for (int i = rank; i < repeats.length; i++) {
      x = x.expandDims(0);
    }
    return call.one("Tile", Map.of(), call.trace().value(x), call.trace().integers(repeats));
  }

  /** Each element several times in a row. */
  static NDArray repeat(Call call) {
    Shape shape = call.self().shape;
    int rank = shape.dimension();
    long[] times = new long[rank];
    Arrays.fill(times, 1);
    Object first = call.argument(0);
    if (call.count() == 2) {
      times[call.axis(0)] = call.argument(1, Long.class);
    } else if (first instanceof Long n) {
      Arrays.fill(times, n);
    } else if (first instanceof long[] each) {
      System.arraycopy(each, 0, times, 0, each.length);
    } else {
      Shape target = call.result().getShape();
      Arrays.setAll(times, i -> target.get(i) / shape.get(i));
    }
    NDArray x = call.array();
    for (int axis = 0; axis < rank; axis++) {
      if (times[axis] != 1) {
        long[] spread = insert(x.getShape(), axis + 1, times[axis]);
        long[] merged = x.getShape().getShape().clone();
        merged[axis] *= times[axis];
        x = x.expandDims(axis + 1).broadcast(new Shape(spread)).reshape(new Shape(merged));
      }
    }
    return x == call.array() ? x.duplicate() : x;
  }

  private static long[] insert(Shape shape, int at, long size) {
    List<Long> sizes = new ArrayList<>();
    for (long d : shape.getShape()) {
      sizes.add(d);
    }
    sizes.add(at, size);
    return sizes.stream().mapToLong(d -> d).toArray();
  }

  static NDList split(Call call) {
    int axis = call.count() < 2 ? 0 : call.axis(1);
    NDList parts = call.results();
    if (parts.size() == 1) {
      return new NDList(call.array());
    }
    long[] sizes = parts.stream().mapToLong(p -> p.getShape().get(axis)).toArray();
    List<@Nullable Value> out =
        call.trace()
            .nodes(
                "",
                "Split",
                Map.of("axis", (long) axis),
                parts,
                List.of(call.self(), call.trace().integers(sizes)));
    NDList list = new NDList();
    out.forEach(v -> list.add(call.trace().view(Objects.requireNonNull(v), call.receiver())));
    return list;
  }

  /**
   * Pads by a constant; DJL counts pairs of (before, after) from the last axis, ONNX all before all
   * after.
   */
  static NDArray pad(Call call) {
    int rank = call.self().shape.dimension();
    Shape pairs = call.argument(0, Shape.class);
    long[] pads = new long[2 * rank];
    for (int i = 0; i < pairs.dimension() / 2; i++) {
      pads[rank - 1 - i] = pairs.get(2 * i);
      pads[2 * rank - 1 - i] = pairs.get(2 * i + 1);
    }
    Value fill = call.trace().number(call.argument(1, Double.class), call.self().type);
    return call.one(
        "Pad", Map.of("mode", "constant"), call.self(), call.trace().integers(pads), fill);
  }

  static NDArray concat(Call call) {
    int axis = call.count() < 2 ? 0 : call.axis(1);
    return join(call, axis, false);
  }

  static NDArray stack(Call call) {
    int axis =
        call.count() < 2 ? 0 : Math.floorMod(call.integer(1), call.self().shape.dimension() + 1);
    return join(call, axis, true);
  }

  private static NDArray join(Call call, int axis, boolean stacked) {
    DataType type = call.result().getDataType();
    List<Value> parts = new ArrayList<>();
    parts.add(call.self());
    parts.addAll(call.operands(0));
    Trace trace = call.trace();
    Value[] operands =
        parts.stream()
            .map(v -> stacked ? trace.value(trace.array(v).expandDims(axis)) : v)
            .map(v -> trace.cast(v, type))
            .toArray(Value[]::new);
    return call.one("Concat", Map.of("axis", (long) axis), operands);
  }
}
