package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.index.dim.NDIndexAll;
import ai.djl.ndarray.index.dim.NDIndexBooleans;
import ai.djl.ndarray.index.dim.NDIndexElement;
import ai.djl.ndarray.index.dim.NDIndexFixed;
import ai.djl.ndarray.index.dim.NDIndexNull;
import ai.djl.ndarray.index.dim.NDIndexSlice;
import ai.djl.ndarray.index.dim.NDIndexTake;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.Buffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Emitters of what picks elements by index. */
final class Indexing {
  private Indexing() {}

  /**
   * {@code x[index]}: one Slice, a Gather per single index, a Gather or GatherND for index arrays,
   * an Unsqueeze per new axis.
   */
  static NDArray get(Call call) {
    List<NDIndexElement> elements = elements(call, call.self().shape.dimension());
    NDArray y =
        slice(
            call.trace(),
            call.array(),
            elements.stream().filter(e -> !(e instanceof NDIndexNull)).toList());
    return newAxes(picked(call, y, elements), elements);
  }

  /** The index with its ellipsis and the axes left out at its end spelt out. */
  private static List<NDIndexElement> elements(Call call, int rank) {
    NDIndex index = index(call);
    List<NDIndexElement> elements = new ArrayList<>(index.getIndices());
    int axes = elements.stream().mapToInt(NDIndexElement::getRank).sum();
    int gap = index.getEllipsisIndex() < 0 ? elements.size() : index.getEllipsisIndex();
    elements.addAll(gap, Collections.nCopies(Math.max(0, rank - axes), new NDIndexAll()));
    for (NDIndexElement e : elements) {
      if (e instanceof NDIndexBooleans
          || (e instanceof NDIndexTake t && t.getIndex().getDataType() == DataType.BOOLEAN)) {
        throw call.unsupported("the shape of what a mask picks depends on the values");
      }
    }
    return elements;
  }

  private static NDIndex index(Call call) {
    int at = call.argument(0) instanceof ai.djl.ndarray.NDManager ? 1 : 0;
    Object first = call.argument(at);
    if (first instanceof NDIndex index) {
      return index;
    }
    if (first instanceof long[] fixed) {
      return new NDIndex(fixed);
    }
    if (first instanceof NDArray array) {
      return new NDIndex("{}", array);
    }
    return new NDIndex(call.argument(at, String.class), call.argument(at + 1, Object[].class));
  }

  private static NDArray slice(Trace trace, NDArray x, List<NDIndexElement> elements) {
    List<Long> starts = new ArrayList<>();
    List<Long> ends = new ArrayList<>();
    List<Long> axes = new ArrayList<>();
    List<Long> steps = new ArrayList<>();
    NDIndex real = new NDIndex();
    for (int axis = 0; axis < elements.size(); axis++) {
      if (elements.get(axis) instanceof NDIndexSlice s) {
        starts.add(s.getMin() == null ? 0 : s.getMin());
        ends.add(s.getMax() == null ? Long.MAX_VALUE : s.getMax());
        axes.add((long) axis);
        steps.add(s.getStep() == null ? 1 : s.getStep());
        real.addIndices(
            (s.getMin() == null ? "" : s.getMin())
                + ":"
                + (s.getMax() == null ? "" : s.getMax())
                + ":"
                + (s.getStep() == null ? 1 : s.getStep()));
      } else {
        real.addAllDim();
      }
    }
    if (axes.isEmpty()) {
      return x;
    }
    Value v = trace.value(x);
    NDArray cut = trace.own(() -> v.real().get(real));
    return trace.view(
        trace.node(
            "Slice",
            Map.of(),
            cut,
            v,
            integers(trace, starts),
            integers(trace, ends),
            integers(trace, axes),
            integers(trace, steps)),
        ((Traced) x).traced());
  }

  private static Value integers(Trace trace, List<Long> list) {
    return trace.integers(list.stream().mapToLong(i -> i).toArray());
  }

  /** Applies the single indices, then the index arrays. */
  private static NDArray picked(Call call, NDArray x, List<NDIndexElement> elements) {
    Trace trace = call.trace();
    List<NDIndexElement> left =
        new ArrayList<>(elements.stream().filter(e -> !(e instanceof NDIndexNull)).toList());
    NDArray y = x;
    for (int axis = left.size() - 1; axis >= 0; axis--) {
      if (left.get(axis) instanceof NDIndexFixed fixed) {
        Value v = trace.value(y);
        NDArray real =
            trace.own(() -> v.real().get(leading(axis0(left, fixed)).addIndices(fixed.getIndex())));
        y =
            trace.view(
                trace.node(
                    "Gather",
                    Map.of("axis", (long) axis),
                    real,
                    v,
                    trace.scalarInteger(fixed.getIndex())),
                ((Traced) y).traced());
        left.remove(axis);
      }
    }
    int[] arrays =
        IntStream.range(0, left.size()).filter(i -> left.get(i) instanceof NDIndexTake).toArray();
    for (NDIndexElement e : left) {
      if (!(e instanceof NDIndexTake || e instanceof NDIndexAll || e instanceof NDIndexSlice)) {
        throw call.unsupported(
            "an index of kind " + e.getClass().getSimpleName() + " has no operator");
      }
    }
    if (arrays.length == 0) {
      return y;
    }
    List<NDArray> indices = new ArrayList<>();
    for (int axis : arrays) {
      indices.add(whole(trace, ((NDIndexTake) left.get(axis)).getIndex()));
    }
    return arrays.length == 1
        ? rows(trace, y, indices.get(0), arrays[0])
        : points(call, y, indices, arrays);
  }

  private static int axis0(List<NDIndexElement> left, NDIndexElement element) {
    return IntStream.range(0, left.size())
        .filter(i -> left.get(i) == element)
        .findFirst()
        .orElseThrow();
  }

  private static NDIndex leading(int axes) {
    NDIndex index = new NDIndex();
    return axes == 0 ? index : index.addAllDim(axes);
  }

  private static NDArray whole(Trace trace, NDArray index) {
    NDArray traced = trace.array(trace.value(index));
    return index.getDataType() == DataType.INT32 ? traced : traced.toType(DataType.INT64, false);
  }

  /** {@code x[:, ..., index]} with the index at {@code axis}. */
  private static NDArray rows(Trace trace, NDArray x, NDArray index, int axis) {
    Value v = trace.value(x);
    Value i = trace.value(index);
    NDArray real = trace.own(() -> v.real().get(leading(axis).addIndices("{}", i.real())));
    return trace.array(trace.node("Gather", Map.of("axis", (long) axis), real, v, i));
  }

  /** {@code x[i, j, ...]}, the arrays i, j broadcast against each other. */
  private static NDArray points(Call call, NDArray x, List<NDArray> indices, int[] axes) {
    if (axes[axes.length - 1] != axes.length - 1) {
      throw call.unsupported("several index arrays must stand for the first axes");
    }
    Trace trace = call.trace();
    Shape common = broadcastShape(trace, indices);
    NDList columns = new NDList();
    indices.forEach(
        i ->
            columns.add(
                i.toType(DataType.INT64, false).broadcast(common).expandDims(common.dimension())));
    NDArray points = NDArrays.concat(columns, common.dimension());
    Value v = trace.value(x);
    NDIndex index = new NDIndex();
    indices.forEach(i -> index.addIndices("{}", Call.real(i)));
    NDArray real = trace.own(() -> v.real().get(index));
    return trace.array(trace.node("GatherND", Map.of(), real, v, trace.value(points)));
  }

  private static Shape broadcastShape(Trace trace, List<NDArray> arrays) {
    NDArray sum =
        trace.own(
            () -> arrays.stream().map(Call::real).reduce(NDArray::add).orElseThrow(),
            reals(arrays));
    return sum.getShape();
  }

  private static NDArray[] reals(List<NDArray> arrays) {
    return arrays.stream().map(Call::real).toArray(NDArray[]::new);
  }

  private static NDArray newAxes(NDArray x, List<NDIndexElement> elements) {
    NDArray y = x;
    int axis = 0;
    for (NDIndexElement e : elements) {
      if (e instanceof NDIndexNull) {
        y = y.expandDims(axis++);
      } else if (e instanceof NDIndexTake t) {
        boolean first =
            elements.stream().filter(NDIndexTake.class::isInstance).findFirst().orElse(e) == e;
        axis += first ? t.getIndex().getShape().dimension() : 0;
      } else if (!(e instanceof NDIndexFixed)) {
        axis++;
      }
    }
    return y;
  }

  /**
   * {@code x[mask] = value} for a whole mask, and a fill from Java; a graph cannot write to part of
   * an array.
   */
  static @Nullable Object set(Call call) {
    TracedArray self = call.receiver();
    Trace trace = call.trace();
    Object where = call.argument(0);
    if (where instanceof Buffer buffer) {
      self.requireExclusive("NDArray.set");
      NDArray filled =
          trace.own(
              () -> {
                NDArray copy = self.real().duplicate();
                copy.set(buffer);
                return copy.duplicate(); // the first one lives in the buffer
              });
      self.become("NDArray.set", trace.array(trace.constant(filled, List.of())));
      return null;
    }
    if (where != null && where.getClass().isArray()) {
      NDArray x = self.proxy();
      switch (where.getClass().getComponentType().getName()) {
        case "float" -> x.set(java.nio.FloatBuffer.wrap((float[]) where));
        case "int" -> x.set(java.nio.IntBuffer.wrap((int[]) where));
        case "double" -> x.set(java.nio.DoubleBuffer.wrap((double[]) where));
        case "long" -> x.set(java.nio.LongBuffer.wrap((long[]) where));
        default -> x.set(java.nio.ByteBuffer.wrap((byte[]) where));
      }
      return null;
    }
    NDArray mask = mask(where);
    if (mask == null || call.argument(1) instanceof java.util.function.Function) {
      throw new ExportException(
          "NDArray.set writes to a part of an array, which a graph cannot\nat: "
              + CallSite.here()
              + "\nfix: write it with concat, where or a mask");
    }
    self.requireExclusive("NDArray.set");
    Object value = call.argument(1);
    if (value instanceof NDArray a && a.size() != 1) {
      throw call.unsupported("how many values a mask picks depends on the values; set one number");
    }
    NDArray full = trace.array(trace.value(mask));
    while (full.getShape().dimension() < self.value().shape.dimension()) {
      full = full.expandDims(full.getShape().dimension());
    }
    NDArray written =
        trace.own(
            () -> {
              NDArray copy = self.real().duplicate();
              NDIndex index = new NDIndex().addBooleanIndex(Call.real(mask));
              if (value instanceof Number n) {
                copy.set(index, n);
              } else if (value instanceof NDArray a) {
                copy.set(index, Call.real(a));
              }
              return copy;
            });
    Value chosen =
        trace.node(
            "Where",
            Map.of(),
            written,
            trace.value(full),
            call.operand(1, self.value().type),
            self.value());
    self.become("NDArray.set", trace.array(chosen));
    return null;
  }

  private static @Nullable NDArray mask(@Nullable Object where) {
    NDArray mask = where instanceof NDArray a ? a : null;
    if (where instanceof NDIndex index && index.getIndices().size() == 1) {
      NDIndexElement only = index.get(0);
      mask =
          only instanceof NDIndexBooleans b
              ? b.getIndex()
              : only instanceof NDIndexTake t ? t.getIndex() : null;
    }
    return mask != null && mask.getDataType() == DataType.BOOLEAN ? mask : null;
  }
}
