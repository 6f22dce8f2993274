package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;

/** Shapes, copies, joins. */
final class LayoutCases extends OperatorCases {
  @Override
  void add() {
    layout();
  }

  private void layout() {
    unary("NDArray.reshape", x -> x.reshape(-1, 6), f32("n", 2, 3), bool("n", 2, 3));
    unary("NDArray.reshape", x -> x.reshape(x.getShape().get(0), 3, 2), f32("n", 2, 3));
    unary("NDArray.reshape", x -> x.reshape(3, x.getShape().get(0) * 2), f32("n", 2, 3));
    unary(
        "NDArray.reshape",
        x -> x.reshape(2, x.getShape().get(1), x.getShape().get(0), 1),
        f32("n", "n", 2));
    unary("NDArray.reshape", x -> x.sum().reshape(new Shape(1, 1)), f32("n", 2));
    unary(
        "NDArray.reshape",
        x -> x.reshape(new Shape(2, -1)).sum(new int[] {1}).sum().reshape(new Shape()),
        f32("n", 2));
    unary("NDArray.flatten", NDArray::flatten, f32("n", 2, 3));
    unary("NDArray.flatten", x -> x.flatten(1, 2), f32("n", 2, 3, 2));
    unary("NDArray.flatten", x -> x.flatten(0, 1), f32("n", 2, 3));
    unary("NDArray.expandDims", x -> x.expandDims(-1).expandDims(1).expandDims(0), f32("n", 2));
    unary("NDArray.squeeze", NDArray::squeeze, f32("1 + n", 1, 2, 1), f32("1 + n", 2));
    unary("NDArray.squeeze", x -> x.squeeze(1), f32("n", 1, 2, 1));
    unary("NDArray.squeeze", x -> x.squeeze(-1).squeeze(1), f32("n", 2, 1));
    unary("NDArray.squeeze", x -> x.squeeze(new int[] {1, 3}), f32("n", 1, 2, 1));
    unary("NDArray.transpose", NDArray::transpose, f32("n", 2, 3), i64("n", 3));
    unary("NDArray.transpose", x -> x.transpose(0, 2, 1).transpose(0, 1, 2), f32("n", 2, 3));
    unary("NDArray.swapAxes", x -> x.swapAxes(0, -1), f32("n", 2, 3));
    unary("NDArray.flip", x -> x.flip(0, -1), f32("n", 2, 3));
    unary("NDArray.broadcast", x -> x.broadcast(x.getShape().get(0), 4, 3), f32("n", 1, 3));
    unary(
        "NDArray.broadcast",
        x -> x.broadcast(new Shape(2, x.getShape().get(0), 3)),
        f32("n", 3),
        bool("n", 3));
    on(
        "NDArray.broadcast",
        "to an open size",
        a -> a.get(0).broadcast(a.get(1).getShape().get(0), 3),
        f32(1, 3),
        second(f32("n")));
    unary("NDArray.tile", x -> x.tile(2), f32("n", 3));
    unary("NDArray.tile", x -> x.tile(new long[] {2, 1, 3}), f32("n", 3), i64("n", 2, 3));
    unary("NDArray.repeat", x -> x.repeat(1, 3), f32("n", 2, 3));
    unary("NDArray.repeat", x -> x.repeat(0, 2), f32("n", 3));
    unary("NDArray.repeat", x -> x.repeat(2), f32("n", 3));
    unary("NDArray.repeat", x -> x.repeat(new long[] {1, 2}), f32("n", 3));
    unary("NDArray.repeat", x -> x.repeat(new Shape(4, 6)), f32("n", 2, 3));
    lists("NDArray.split", "into equal parts", a -> a.get(0).split(3, 1), f32("n", 6));
    lists("NDArray.split", "at places", a -> a.get(0).split(new long[] {1, 4}, 1), f32("n", 6));
    lists("NDArray.split", "one part", a -> a.get(0).split(1), f32("n", 6));
    lists(
        "NDArray.split",
        "at a place of the first axis",
        a -> a.get(0).split(new long[] {1}),
        f32("1 + n", 2));
    unary("NDArray.pad", x -> x.pad(new Shape(1, 2), 0.5), f32("n", 3));
    unary("NDArray.pad", x -> x.pad(new Shape(0, 1, 2, 0), 0), f32("n", 3), i64("n", 3));
    unary("NDArray.duplicate", x -> x.duplicate().addi(1), f32("n", 3));
    unary("NDArray.toDense", NDArray::toDense, f32("n", 3));
    unary("NDArray.stopGradient", x -> x.mul(2).stopGradient(), f32("n", 3));
    unary("NDArray.scaleGradient", x -> x.mul(2).scaleGradient(0.5), f32("n", 3));
    unary("NDArray.toDevice", x -> x.mul(2).toDevice(x.getDevice(), false), f32("n", 3));
    on(
        "NDArrayEx.concat",
        "two",
        a -> a.get(0).concat(a.get(1), -1),
        f32("n", 3),
        second(f32("n", 2)));
    on(
        "NDArrayEx.concat",
        "three along an open axis",
        a -> NDArrays.concat(new NDList(a.get(0), a.get(1), a.get(0))),
        i64("n", 3),
        second(i64(2, 3)));
    on(
        "NDArrayEx.concat",
        "of two types",
        a -> a.get(0).concat(a.get(1)),
        f32("n", 3),
        second(i64(2, 3)));
    on("NDArrayEx.stack", "two", a -> a.get(0).stack(a.get(1)), f32("n", 3), second(f32("n", 3)));
    on(
        "NDArrayEx.stack",
        "in the last place",
        a -> NDArrays.stack(a, -1),
        f32("n", 3),
        second(f32("n", 3)));
  }
}
