package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.internal.NDArrayEx;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import java.util.List;

/** Whole layers. */
final class LayerCases extends OperatorCases {
  @Override
  void add() {
    layers();
  }

  private void layers() {
    on(
        "NDArrayEx.linear",
        "with bias",
        a -> ex(a).linear(a.get(0), a.get(1), a.get(2)).get(0),
        f32("n", 2, 3),
        second(f32(4, 3)),
        third(f32(4)));
    on(
        "NDArrayEx.linear",
        "without bias",
        a -> ex(a).linear(a.get(0), a.get(1), null).get(0),
        f64("n", 3),
        second(f64(4, 3)));
    on(
        "NDArrayEx.embedding",
        "int64",
        a -> ex(a).embedding(a.get(0), a.get(1), SparseFormat.DENSE).get(0),
        i64("n", 2),
        second(f32(7, 3)));
    on(
        "NDArrayEx.embedding",
        "int32",
        a -> ex(a).embedding(a.get(0), a.get(1), SparseFormat.DENSE).get(0),
        i32("n"),
        second(f64(7, 3)));
    on(
        "NDArrayEx.layerNorm",
        "over one axis",
        a -> ex(a).layerNorm(a.get(0), new Shape(3), a.get(1), a.get(2), 1e-5f).get(0),
        f32("n", 2, 3),
        second(f32(3)),
        third(f32(3)));
    on(
        "NDArrayEx.layerNorm",
        "over two axes",
        a -> ex(a).layerNorm(a.get(0), new Shape(2, 3), a.get(1), a.get(2), 1e-3f).get(0),
        f64("n", 2, 3),
        second(f64(2, 3)),
        third(f64(2, 3)));
    for (int axis : new int[] {1, -1, 2}) {
      for (Input x : List.of(f32("n", 3, 3), f64("n", 3, 3), f32("n", 3, 3, 2))) {
        on(
            "NDArrayEx.batchNorm",
            "along " + axis + " of " + x,
            a -> batchNorm(a, axis),
            x,
            second(new Input("y", x.type(), List.of(Dim.of(3)), x.sample())));
      }
    }
    on("NDArrayEx.batchNorm", "of a matrix", a -> batchNorm(a, 1), f32("n", 3), second(f32(3)));
    on(
        "NDArrayEx.dropout",
        "while not training",
        a -> ex(a).dropout(a.get(0), 0.5f, false).get(0).add(1),
        f32("n", 3));
    on(
        "NDArrayEx.convolution",
        "1-D",
        a -> conv(a, new Shape(2), new Shape(1), new Shape(1), 1),
        f32("n", 3, 9),
        second(f32(4, 3, 2)),
        third(f32(4)));
    on(
        "NDArrayEx.convolution",
        "2-D in groups",
        a -> conv(a, new Shape(1, 2), new Shape(2, 1), new Shape(2, 1), 2),
        f32("n", 4, 9, 7),
        second(f32(6, 2, 3, 2)),
        third(f32(6)));
    on(
        "NDArrayEx.convolution",
        "2-D in float64",
        a -> conv(a, new Shape(1, 1), new Shape(0, 0), new Shape(1, 1), 1),
        f64("n", 2, 5, 5),
        second(f64(3, 2, 3, 3)),
        third(f64(3)));
    on(
        "NDArrayEx.convolution",
        "3-D",
        a -> conv(a, new Shape(1, 1, 1), new Shape(1, 0, 1), new Shape(1, 1, 1), 1),
        f32("n", 2, 4, 5, 3),
        second(f32(3, 2, 3, 3, 2)),
        third(f32(3)));
    on(
        "NDArrayEx.convolution",
        "of open width",
        a -> conv(a, new Shape(2, 2), new Shape(1, 1), new Shape(1, 1), 1),
        f32(2, 2, 6, "4 + n"),
        second(f32(3, 2, 3, 3)),
        third(f32(3)));
    on(
        "NDArrayEx.convolution",
        "without bias or batch",
        a ->
            ex(a)
                .convolution(
                    a.get(0), a.get(1), null, new Shape(1, 1), new Shape(0, 0), new Shape(1, 1), 1)
                .get(0),
        f32(2, 6, "4 + n"),
        second(f32(3, 2, 3, 3)));
    unary(
        "NDArrayEx.maxPool",
        x ->
            x.getNDArrayInternal()
                .maxPool(new Shape(2, 3), new Shape(2, 1), new Shape(1, 1), false),
        f32("n", 2, 7, 6),
        f64("n", 2, 7, 6));
    unary(
        "NDArrayEx.maxPool",
        x -> x.getNDArrayInternal().maxPool(new Shape(3), new Shape(2), new Shape(0), true),
        f32("n", 2, 8));
    unary(
        "NDArrayEx.maxPool",
        x ->
            x.getNDArrayInternal()
                .maxPool(new Shape(2, 2, 2), new Shape(1, 1, 1), new Shape(0, 0, 0), false),
        f32("n", 2, 3, 4, 5));
    unary(
        "NDArrayEx.avgPool",
        x ->
            x.getNDArrayInternal()
                .avgPool(new Shape(2, 3), new Shape(2, 1), new Shape(1, 1), false, true),
        f32("n", 2, 7, 6),
        f64("n", 2, 7, 6));
    unary(
        "NDArrayEx.avgPool",
        x -> x.getNDArrayInternal().avgPool(new Shape(3), new Shape(2), new Shape(1), false, false),
        f32("n", 2, 8));
    unary(
        "NDArrayEx.avgPool",
        x -> x.getNDArrayInternal().avgPool(new Shape(3), new Shape(2), new Shape(0), true, true),
        f32("n", 2, 8));
    unary(
        "NDArrayEx.avgPool",
        x -> x.getNDArrayInternal().avgPool(new Shape(3), new Shape(2), new Shape(1), true, true),
        f32("n", 2, 8));
    unary(
        "NDArrayEx.lpPool",
        x ->
            x.getNDArrayInternal()
                .lpPool(2, new Shape(2, 2), new Shape(1, 2), new Shape(0, 0), false),
        f32("n", 2, 5, 6),
        f64("n", 2, 5, 6));
    unary(
        "NDArrayEx.globalMaxPool",
        x -> x.getNDArrayInternal().globalMaxPool(),
        f32("n", 2, 5, 4),
        f64("n", 2, 5));
    unary(
        "NDArrayEx.globalAvgPool",
        x -> x.getNDArrayInternal().globalAvgPool(),
        f32("n", 2, 5, 4),
        f64("n", 2, 3, 2, 2));
    unary("NDArrayEx.globalLpPool", x -> x.getNDArrayInternal().globalLpPool(2), f32("n", 2, 5, 4));
    unary(
        "NDArrayEx.interpolation",
        x -> x.getNDArrayInternal().interpolation(new long[] {6, 9}, 0, false),
        f32("n", 2, 3, 4));
    unary(
        "NDArrayEx.interpolation",
        x -> x.getNDArrayInternal().interpolation(new long[] {7, 3}, 1, false),
        f32("n", 2, 3, 4));
  }

  private static NDArrayEx ex(NDList a) {
    return a.get(0).getNDArrayInternal();
  }

  private static NDArray conv(NDList a, Shape stride, Shape padding, Shape dilation, int groups) {
    return ex(a)
        .convolution(a.get(0), a.get(1), a.get(2), stride, padding, dilation, groups)
        .get(0);
  }

  /** Statistics made of one vector. */
  private static NDArray batchNorm(NDList a, int axis) {
    NDArray v = a.get(1);
    return ex(a)
        .batchNorm(
            a.get(0), v, v.square().add(0.5f), v.add(1), v.mul(0.3f), axis, 0.9f, 1e-5f, false)
        .get(0);
  }
}
