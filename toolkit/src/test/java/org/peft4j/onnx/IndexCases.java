package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.List;

/** Picking by index. */
final class IndexCases extends OperatorCases {
  @Override
  void add() {
    indexing();
  }

  private void indexing() {
    for (String index :
        List.of(
            "1:",
            ":, 1",
            "0, :, :",
            ":, -1",
            ":, :2, 1:",
            "..., 1",
            ":, 0:3:2",
            ":, null, 1",
            "...",
            ":, :-1",
            "-1, 1, 0",
            ":, 1:, null")) {
      on("NDArray.get", "[" + index + "]", a -> a.get(0).get(index), f32("1 + n", 3, 2));
    }
    on("NDArray.get", "by numbers", a -> a.get(0).get(1, 2), f32("1 + n", 3, 2));
    on(
        "NDArray.get",
        "up to half an open size",
        a -> a.get(0).get(":, 0:{}", a.get(1).getShape().get(0)),
        f32("n", 30),
        second(f32("n")));
    on(
        "NDArray.get",
        "the last by its number",
        a -> a.get(0).get("{}", a.get(0).getShape().get(0) - 1),
        f32("n", 3));
    on(
        "NDArray.get",
        "rows by an array",
        a -> a.get(0).get(a.get(1)),
        f32(7, 3),
        second(i64("n", 2)));
    on(
        "NDArray.get",
        "columns by an array",
        a -> a.get(0).get(":, {}", a.get(1)),
        f32("n", 7),
        second(i32(4)));
    on(
        "NDArray.get",
        "an array beside a slice and a number",
        a -> a.get(0).get("1:, {}, 0", a.get(1)),
        f32("1 + n", 7, 2),
        second(i64(4)));
    on(
        "NDArray.get",
        "an array, then a new axis",
        a -> a.get(0).get("{}, null", a.get(1)),
        f32(7, 3),
        second(i64("n", 2)));
    on(
        "NDArray.get",
        "points",
        a ->
            a.get(0)
                .get(
                    "{}, {}",
                    a.get(0)
                        .getManager()
                        .arange(0, (int) a.get(0).getShape().get(0), 1, DataType.INT64),
                    a.get(1)),
        f32("n", 7, 3),
        second(i64("n")));
    on(
        "NDArray.get",
        "points of arrays that broadcast",
        a -> a.get(0).get("{}, {}", a.get(1).expandDims(1), a.get(1)),
        f32(7, 7),
        second(i64("n")));
    on(
        "NDArray.set",
        "a number where a mask holds",
        a -> {
          NDArray x = a.get(0).mul(1);
          x.set(x.gt(0), -7f);
          return x;
        },
        f32("n", 3));
    on(
        "NDArray.set",
        "rows where a mask holds",
        a -> {
          NDArray x = a.get(0).mul(1);
          x.set(new NDIndex("{}", a.get(1)), 0);
          return x;
        },
        f32("n", 3),
        second(bool("n")));
    on(
        "NDArray.set",
        "from Java",
        a -> {
          NDArray x = a.get(0).getManager().create(new Shape(3));
          x.set(new float[] {1, 2, 3});
          return a.get(0).add(x);
        },
        f32("n", 3));
    on(
        "NDArray.gather",
        "along the last axis",
        a -> a.get(0).gather(a.get(1), 1),
        f32("n", 7),
        second(i64("n", 2)));
    on(
        "NDArray.gatherNd",
        "rows",
        a -> a.get(0).gatherNd(a.get(1)),
        f32(7, 3),
        second(i64(1, "n")));
    on(
        "NDArray.gatherNd",
        "elements",
        a -> a.get(0).gatherNd(a.get(1).duplicate()),
        f32(7, 7),
        second(i64(2, "n")));
    on(
        "NDArray.take",
        "of the flattened",
        a -> a.get(0).take(a.get(1)),
        f32(7, 3),
        second(i64("n", 2)));
    on(
        "NDArray.scatter",
        "along the last axis",
        a -> a.get(0).scatter(a.get(1).argSort(1), a.get(2), 1),
        f32("n", 3),
        second(f32("n", 3)),
        third(f32("n", 3)));
    unary("NDArray.oneHot", x -> x.oneHot(7), i64("n", 2), i32("n"));
    unary("NDArray.oneHot", x -> x.oneHot(7, DataType.INT64), i64("n"));
  }
}
