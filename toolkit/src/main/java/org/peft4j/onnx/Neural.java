package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Emitters of whole layers. */
final class Neural {
  private Neural() {}

  /** {@code x W^T + b}; the transposed weight is folded into the file. */
  static NDList linear(Call call) {
    NDArray y = call.array(0).matMul(call.array(1).transpose());
    return new NDList(call.isNull(2) ? y : y.add(call.array(2)));
  }

  static NDList embedding(Call call) {
    DataType type = call.operand(0).type;
    Value ids = call.operand(0, type == DataType.INT32 ? type : DataType.INT64);
    return new NDList(call.one("Gather", Map.of("axis", 0L), call.operand(1), ids));
  }

  static NDList layerNorm(Call call) {
    long axis = -call.argument(1, Shape.class).dimension();
    Map<String, Object> attributes = Map.of("axis", axis, "epsilon", call.argument(4, Float.class));
    return new NDList(
        call.one(
            "LayerNormalization", attributes, call.operand(0), call.operand(2), call.operand(3)));
  }

  /** x, mean, variance, gamma, beta, axis, momentum, epsilon, training. */
  static NDList batchNorm(Call call) {
    if (call.argument(8, Boolean.class)) {
      throw call.unsupported("it is in training mode");
    }
    int axis = call.integer(5);
    float epsilon = call.argument(7, Float.class);
    if (axis == -1 || axis == 1) {
      return new NDList(
          call.one(
              "BatchNormalization",
              Map.of("epsilon", epsilon),
              call.operand(0),
              call.operand(3),
              call.operand(4),
              call.operand(1),
              call.operand(2)));
    }
    // ONNX's operator is for axis 1; the same with the scale folded: x k + (beta - mean k), k =
    // gamma / sqrt(variance + epsilon)
    NDArray x = call.array(0);
    NDArray k = call.array(3).div(call.array(2).add(epsilon).sqrt());
    NDArray shift = call.array(4).sub(call.array(1).mul(k));
    long[] along = new long[x.getShape().dimension()];
    Arrays.fill(along, 1);
    along[Math.floorMod(axis, along.length)] = k.getShape().get(0);
    return new NDList(x.mul(k.reshape(new Shape(along))).add(shift.reshape(new Shape(along))));
  }

  static NDList dropout(Call call) {
    if (call.argument(2, Boolean.class)) {
      throw call.unsupported("dropout is in training mode; pass the training flag on");
    }
    return new NDList(call.array(0));
  }

  /** x, weight, bias, stride, padding, dilation, groups. */
  static NDList convolution(Call call) {
    Shape stride = call.argument(3, Shape.class);
    int space = stride.dimension();
    Map<String, Object> attributes = new TreeMap<>();
    attributes.put("strides", stride.getShape());
    attributes.put("pads", twice(call.argument(4, Shape.class), space));
    attributes.put("dilations", call.argument(5, Shape.class).getShape());
    attributes.put("group", (long) call.integer(6));
    Trace trace = call.trace();
    NDArray x = call.array(0);
    boolean single = x.getShape().dimension() == space + 1;
    List<Value> operands =
        new ArrayList<>(List.of(trace.value(single ? x.expandDims(0) : x), call.operand(1)));
    if (!call.isNull(2)) {
      operands.add(call.operand(2));
    }
    NDArray real = single ? trace.own(() -> call.result().expandDims(0)) : call.result();
    NDArray y = trace.array(trace.node("Conv", attributes, real, operands.toArray(new Value[0])));
    return new NDList(single ? y.squeeze(0) : y);
  }

  /** The same padding before and after. */
  private static long[] twice(Shape padding, int space) {
    long[] pads = new long[2 * space];
    for (int i = 0; i < space && i < padding.dimension(); i++) {
      pads[i] = padding.get(i);
      pads[space + i] = padding.get(i);
    }
    return pads;
  }

  static NDArray maxPool(Call call) {
    return call.one("MaxPool", pooling(call, 0), call.self());
  }

  static NDArray averagePool(Call call) {
    Map<String, Object> attributes = pooling(call, 0);
    attributes.put("count_include_pad", 1L); // as the engine does, whatever it is told
    return call.one("AveragePool", attributes, call.self());
  }

  static NDArray lpPool(Call call) {
    long p = evenOrder(call);
    Map<String, Object> attributes = pooling(call, 1);
    if (attributes.remove("ceil_mode") instanceof Long ceil && ceil != 0) {
      throw call.unsupported("the operator does not round sizes up");
    }
    attributes.put("p", p);
    return call.one("LpPool", attributes, call.self());
  }

  /** Arguments kernel, stride, padding and rounding from the given one on. */
  private static Map<String, Object> pooling(Call call, int at) {
    Shape kernel = call.argument(at, Shape.class);
    Shape stride = call.argument(at + 1, Shape.class);
    Map<String, Object> attributes = new TreeMap<>();
    attributes.put("kernel_shape", kernel.getShape());
    attributes.put("strides", (stride.dimension() == 0 ? kernel : stride).getShape());
    attributes.put("pads", twice(call.argument(at + 2, Shape.class), kernel.dimension()));
    attributes.put("ceil_mode", call.argument(at + 3, Boolean.class) ? 1L : 0L);
    return attributes;
  }

  /** PyTorch sums x^p, ONNX |x|^p. */
  private static long evenOrder(Call call) {
    float p = call.argument(0, Float.class);
    if (p < 2 || p % 2 != 0) {
      throw call.unsupported("only even orders have an operator, not " + p);
    }
    return (long) p;
  }

  private static int[] space(Call call) {
    return IntStream.range(2, call.self().shape.dimension()).toArray();
  }

  static Emitter globalPool(String reduction) {
    return call ->
        call.one(
            reduction,
            Reductions.attributes(space(call), false, call.self().shape.dimension()),
            call.self());
  }

  static NDArray globalLpPool(Call call) {
    float p = evenOrder(call);
    return call.array().pow(p).sum(space(call)).pow(1 / p);
  }

  static @Nullable Object interpolation(Call call) {
    int mode = call.integer(1);
    if (mode != 0 && mode != 1) {
      throw call.unsupported("only modes 0 (nearest) and 1 (linear) have an operator, not " + mode);
    }
    Map<String, Object> attributes = new TreeMap<>();
    attributes.put("mode", mode == 0 ? "nearest" : "linear");
    attributes.put("coordinate_transformation_mode", mode == 0 ? "asymmetric" : "half_pixel");
    attributes.put("nearest_mode", "floor");
    attributes.put("antialias", (long) mode); // the engine's linear mode does, where it shrinks
    attributes.put("exclude_outside", (long) mode);
    Trace trace = call.trace();
    Value sizes = trace.integers(call.result().getShape().getShape());
    return call.one("Resize", attributes, call.self(), trace.absent(), trace.absent(), sizes);
  }
}
