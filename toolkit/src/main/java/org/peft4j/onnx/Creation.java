package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Emitters of new arrays. */
final class Creation {
  private Creation() {}

  /**
   * From Java data: a constant. With a shape only: one that is filled later, through its buffer or
   * {@code set}.
   */
  static NDArray create(Call call) {
    Trace trace = call.trace();
    if (call.argument(0) instanceof String || call.argument(0) instanceof String[]) {
      throw call.unsupported("texts have no place in a graph");
    }
    if (call.argument(0) instanceof Shape shape) {
      DataType type = call.count() > 1 ? call.argument(1, DataType.class) : DataType.FLOAT32;
      return trace.array(
          trace.constant(trace.own(() -> trace.manager().zeros(shape, type)), List.of()));
    }
    // copied, as the engine's array lives in Java memory and dies under its views
    return trace.array(trace.constant(trace.own(() -> call.result().duplicate()), List.of()));
  }

  static NDArray constant(Call call) {
    return call.trace().array(call.trace().constant(call.result(), List.of()));
  }

  static Emitter fill(Number number) {
    return call -> filled(call, number);
  }

  static NDArray full(Call call) {
    return filled(call, call.argument(1, Number.class));
  }

  private static NDArray filled(Call call, Number number) {
    NDArray real = call.result();
    if (real.getShape().dimension() == 0) {
      return constant(call);
    }
    Trace trace = call.trace();
    return call.one(
        "Expand",
        Map.of(),
        trace.number(number, real.getDataType()),
        trace.integers(real.getShape().getShape()));
  }

  /** Counts with whole numbers, whose end may follow the sizes. */
  static NDArray arange(Call call) {
    List<Double> numbers = new ArrayList<>();
    for (int i = 0; i < call.count(); i++) {
      if (call.argument(i) instanceof Number n) {
        numbers.add(n.doubleValue());
      }
    }
    if (numbers.stream().anyMatch(n -> n != Math.rint(n))) {
      return constant(call);
    }
    double start = numbers.size() > 1 ? numbers.get(0) : 0;
    double stop = numbers.size() > 1 ? numbers.get(1) : numbers.get(0);
    double step = numbers.size() > 2 ? numbers.get(2) : 1;
    Trace trace = call.trace();
    NDArray whole = trace.own(() -> call.result().toType(DataType.INT64, true));
    Value count =
        trace.node(
            "Range",
            Map.of(),
            whole,
            trace.scalarInteger((long) start),
            trace.scalarInteger((long) stop),
            trace.scalarInteger((long) step));
    return trace.array(trace.cast(count, call.result().getDataType()));
  }

  static NDArray eye(Call call) {
    int rows = call.integer(0);
    int columns = call.count() > 1 && call.argument(1) instanceof Integer n ? n : rows;
    NDManager manager = call.trace().recorder();
    NDArray down = manager.arange(0, rows, 1, DataType.INT64).expandDims(1);
    return down.eq(manager.arange(0, columns, 1, DataType.INT64))
        .toType(call.result().getDataType(), false);
  }
}
