package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;

/** Sums, extremes, orders, products. */
final class ReductionCases extends OperatorCases {
  @Override
  void add() {
    reductions();
  }

  private void reductions() {
    unary("NDArray.sum", NDArray::sum, f32("n", 3), f64("n"), i64("n"), i32("n"), bool("n", 3));
    unary("NDArray.sum", x -> x.sum(new int[] {0, -1}), f32("n", 3, 2), i32("n", 3, 2));
    unary("NDArray.sum", x -> x.sum(new int[] {1}, true), f32("n", 3, 2), bool("n", 3));
    unary("NDArray.mean", NDArray::mean, f32("n", 3), f64("n"));
    unary("NDArray.mean", x -> x.mean(new int[] {-1}, true), f32("n", 3));
    unary("NDArray.mean", x -> x.mean(new int[] {0}), f64("n", 3));
    unary("NDArray.max", NDArray::max, f32("n", 3), i64("n"));
    unary("NDArray.max", x -> x.max(new int[] {1}, true), f32("n", 3), i64("n", 3));
    unary("NDArray.max", x -> x.max(new int[] {0}), f64("n", 3), bool("n", 3));
    unary("NDArray.min", NDArray::min, f32("n", 3), i64("n"));
    unary("NDArray.min", x -> x.min(new int[] {-1}), f64("n", 3), i32("n", 3));
    unary("NDArray.prod", NDArray::prod, f32("n", 3), i64("n"));
    unary("NDArray.prod", x -> x.prod(new int[] {1}, true), f64("n", 3), i32("n", 3));
    unary("NDArray.all", NDArray::all, bool("n"), i64("n"));
    unary("NDArray.all", x -> x.add(1).all(), i64("n", 3));
    unary("NDArray.any", NDArray::any, bool("n"), i64("n"));
    unary("NDArray.any", x -> x.gt(9).any(), i64("n", 3));
    unary("NDArray.none", NDArray::none, bool("n"));
    unary("NDArray.none", x -> x.gt(9).none(), i64("n", 3));
    unary("NDArray.norm", NDArray::norm, f32("n", 3), f64("n"));
    unary("NDArray.norm", x -> x.norm(new int[] {1}), f32("n", 3));
    unary("NDArray.norm", x -> x.norm(new int[] {1}, true), f64("n", 3));
    unary("NDArray.norm", x -> x.norm(1, new int[] {0}, false), f32("n", 3));
    unary("NDArray.norm", x -> x.norm(true), f32("n", 3));
    unary("NDArray.normalize", NDArray::normalize, f32("n", 3), f64("n", 3));
    unary("NDArray.normalize", x -> x.normalize(1, 0), f32("n", 3));
    unary("NDArray.normalize", x -> x.normalize(3, 1, 0.5), f32("n", 3));
    unary("NDArray.argMax", NDArray::argMax, f32("n", 3));
    unary("NDArray.argMax", x -> x.argMax(-1), f32("n", 3), f64("n", 3));
    unary("NDArray.argMin", NDArray::argMin, f32("n", 3));
    unary("NDArray.argMin", x -> x.argMin(1), f32("n", 3, 2));
    unary("NDArray.cumSum", NDArray::cumSum, f32("n"), i64("n", 3));
    unary("NDArray.cumSum", x -> x.cumSum(-1), f32("n", 3), i32("n", 3), bool("n", 3));
    lists("NDArray.topK", "largest", a -> a.get(0).topK(2, 1), f32("n", 5));
    lists(
        "NDArray.topK",
        "smallest of a middle axis",
        a -> a.get(0).topK(3, -2, false, true),
        f64("n", 4, 2));
    unary("NDArray.sort", NDArray::sort, f32("n", 3), i64("n"));
    unary("NDArray.sort", x -> x.sort(0), f32("n", 3));
    unary("NDArray.argSort", NDArray::argSort, f32("n", 4));
    unary("NDArray.argSort", x -> x.argSort(0), f32("n", 4));
    unary("NDArray.argSort", x -> x.argSort(1, false), f32("n", 4));
    on(
        "NDArray.matMul",
        "of matrices",
        a -> a.get(0).matMul(a.get(1)),
        f32("n", 3),
        second(f32(3, 4)));
    on(
        "NDArray.matMul",
        "of batches",
        a -> a.get(0).matMul(a.get(1)),
        f64("n", 2, 3),
        second(f64("n", 3, 4)));
    on(
        "NDArray.matMul",
        "broadcast",
        a -> a.get(0).matMul(a.get(1)),
        f32("n", 2, 5, 3),
        second(f32(3, 4)));
    on(
        "NDArray.matMul",
        "by a vector",
        a -> a.get(0).matMul(a.get(1)),
        f32("n", 2, 3),
        second(f32(3)));
    on(
        "NDArray.matMul",
        "of integers",
        a -> a.get(0).matMul(a.get(1)),
        i64("n", 3),
        second(i64(3, 4)));
    on(
        "NDArray.batchMatMul",
        "float32",
        a -> a.get(0).batchMatMul(a.get(1)),
        f32("n", 2, 3),
        second(f32("n", 3, 4)));
    on("NDArray.dot", "of vectors", a -> a.get(0).dot(a.get(1)), f32("n"), second(f32("n")));
    on("NDArray.dot", "of matrices", a -> a.get(0).dot(a.get(1)), f32("n", 3), second(f32(3, 4)));
  }
}
