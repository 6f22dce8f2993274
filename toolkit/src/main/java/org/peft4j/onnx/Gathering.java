package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.util.Map;
import java.util.stream.IntStream;

/** Emitters of what picks or places elements by an array of positions. */
final class Gathering {
  private Gathering() {}

  static NDArray gather(Call call) {
    Value index = call.operand(0, DataType.INT64);
    return call.one("GatherElements", Map.of("axis", (long) call.axis(1)), call.self(), index);
  }

  /** The index {@code [k, ...]} holds k coordinates per point. */
  static NDArray gatherNd(Call call) {
    NDArray index = call.array(0).toType(DataType.INT64, false);
    int rank = index.getShape().dimension();
    Trace trace = call.trace();
    Value x = call.self();
    NDArray real =
        trace.own(
            () ->
                x.real()
                    .gatherNd(
                        Call.real(index).duplicate())); // the engine computes within the index
    if (index.getShape().get(0) == 1) {
      return trace.array(
          trace.node("Gather", Map.of("axis", 0L), real, x, trace.value(index.squeeze(0))));
    }
    int[] last = IntStream.range(0, rank).map(i -> (i + 1) % rank).toArray();
    return trace.array(
        trace.node("GatherND", Map.of(), real, x, trace.value(index.transpose(last))));
  }

  /** Elements by their position in the flattened array. */
  static NDArray take(Call call) {
    NDArray flat = call.array().flatten();
    Value index = call.operand(call.count() - 1, DataType.INT64);
    return call.one("Gather", Map.of("axis", 0L), call.trace().value(flat), index);
  }

  static NDArray scatter(Call call) {
    Value index = call.operand(0, DataType.INT64);
    Value updates = call.operand(1, call.self().type);
    if (!index.shape.equals(updates.shape)) {
      throw call.unsupported(
          "index " + index.shape + " and values " + updates.shape + " must have one shape");
    }
    return call.one(
        "ScatterElements", Map.of("axis", (long) call.axis(2)), call.self(), index, updates);
  }

  static NDArray oneHot(Call call) {
    if (call.count() > 2) {
      throw call.unsupported("the engine has no other values than 0 and 1");
    }
    DataType type = call.count() < 2 ? DataType.FLOAT32 : call.argument(1, DataType.class);
    NDArray index = call.array().toType(DataType.INT64, false);
    NDArray classes = call.trace().recorder().arange(0, call.integer(0), 1, DataType.INT64);
    return index.expandDims(index.getShape().dimension()).eq(classes).toType(type, false);
  }
}
