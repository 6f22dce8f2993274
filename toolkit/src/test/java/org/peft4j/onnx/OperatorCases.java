package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.internal.NDArrayEx;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiFunction;
import java.util.function.BinaryOperator;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/** What each method of the operator table is tried on; {@code n} is an open dimension. */
final class OperatorCases {
  /**
   * A call of the method.
   *
   * @param call from the inputs to the outputs
   */
  record Case(String title, List<Input> inputs, Function<NDList, NDList> call) {}

  private final Map<String, List<Case>> cases = new TreeMap<>();

  static Map<String, List<Case>> all() {
    OperatorCases all = new OperatorCases();
    all.elementwise();
    all.activations();
    all.reductions();
    all.layout();
    all.indexing();
    all.layers();
    all.creation();
    all.inPlace();
    all.madeOfOthers();
    return all.cases;
  }

  private void lists(String method, String title, Function<NDList, NDList> call, Input... inputs) {
    cases
        .computeIfAbsent(method, k -> new ArrayList<>())
        .add(new Case(title, List.of(inputs), call));
  }

  private void on(String method, String title, Function<NDList, NDArray> call, Input... inputs) {
    lists(method, title, x -> new NDList(call.apply(x)), inputs);
  }

  private void unary(String method, UnaryOperator<NDArray> call, Input... inputs) {
    for (Input input : inputs) {
      on(method, "of " + input, x -> call.apply(x.get(0)), input);
    }
  }

  private static Input f32(Object... dims) {
    return Input.of("x", DataType.FLOAT32, dims);
  }

  private static Input f64(Object... dims) {
    return Input.of("x", DataType.FLOAT64, dims);
  }

  private static Input i64(Object... dims) {
    return Input.of("x", DataType.INT64, dims).sampled(Sample.below(7));
  }

  private static Input i32(Object... dims) {
    return Input.of("x", DataType.INT32, dims).sampled(Sample.below(7));
  }

  private static Input bool(Object... dims) {
    return Input.of("x", DataType.BOOLEAN, dims);
  }

  private static Input second(Input input) {
    return new Input("y", input.type(), input.dims(), input.sample());
  }

  private static Input third(Input input) {
    return new Input("z", input.type(), input.dims(), input.sample());
  }

  /** Values in (0, 1). */
  private static Input unit(DataType type, Object... dims) {
    return Input.of("x", type, dims)
        .sampled(d -> d.seed().uniform(d.manager(), d.shape(), 0.05, 0.95).toType(d.type(), false));
  }

  private static Input large(DataType type, Object... dims) {
    return Input.of("x", type, dims)
        .sampled(d -> d.seed().normal(d.manager(), d.shape(), 5).toType(d.type(), false));
  }

  // ---- families

  private void elementwise() {
    Map<String, BinaryOperator<NDArray>> arithmetic =
        Map.of(
            "add",
            NDArray::add,
            "sub",
            NDArray::sub,
            "mul",
            NDArray::mul,
            "maximum",
            NDArray::maximum,
            "minimum",
            NDArray::minimum);
    arithmetic.forEach(
        (name, f) -> {
          for (Input x : List.of(f32("n", 3), f64("n", 3), i64("n", 3), i32("n", 3))) {
            on(
                "NDArray." + name,
                "of " + x + " broadcast",
                a -> f.apply(a.get(0), a.get(1)),
                x,
                second(new Input("y", x.type(), List.of(Dim.of(3)), x.sample())));
          }
          on(
              "NDArray." + name,
              "float32 with int64",
              a -> f.apply(a.get(0), a.get(1)),
              f32("n", 3),
              second(i64("n", 3)));
          on(
              "NDArray." + name,
              "int64 with float32",
              a -> f.apply(a.get(0), a.get(1)),
              i64("n", 3),
              second(f32(3)));
        });
    Map<String, BiFunction<NDArray, Number, NDArray>> numbers =
        Map.of(
            "add",
            NDArray::add,
            "sub",
            NDArray::sub,
            "mul",
            NDArray::mul,
            "div",
            NDArray::div,
            "maximum",
            NDArray::maximum,
            "minimum",
            NDArray::minimum,
            "mod",
            NDArray::mod);
    numbers.forEach(
        (name, f) -> {
          on("NDArray." + name, "float32 with 3", a -> f.apply(a.get(0), 3), f32("n", 3));
          on("NDArray." + name, "float64 with 0.1", a -> f.apply(a.get(0), 0.1), f64("n", 3));
          on("NDArray." + name, "int64 with 3", a -> f.apply(a.get(0), 3), i64("n", 3));
          on("NDArray." + name, "int64 with 1.5f", a -> f.apply(a.get(0), 1.5f), i64("n", 3));
        });
    on(
        "NDArray.add",
        "of booleans",
        a -> a.get(0).add(a.get(1)),
        bool("n", 3),
        second(bool("n", 3)));
    on(
        "NDArray.mul",
        "of booleans",
        a -> a.get(0).mul(a.get(1)),
        bool("n", 3),
        second(bool("n", 3)));
    on("NDArray.mul", "of 0-dimensional", a -> a.get(0).sum().mul(a.get(0).mean()), f32("n", 3));
    on(
        "NDArray.div",
        "float32",
        a -> a.get(0).div(a.get(1).add(0.5f)),
        f32("n", 3),
        second(unit(DataType.FLOAT32, 3)));
    on(
        "NDArray.div",
        "integers give a fraction",
        a -> a.get(0).div(a.get(1).add(1)),
        i64("n", 3),
        second(i64("n", 3)));
    on("NDArray.pow", "float32 by a number", a -> a.get(0).pow(2), f32("n", 3));
    on(
        "NDArray.pow",
        "positive by a fraction",
        a -> a.get(0).pow(0.3f),
        unit(DataType.FLOAT32, "n", 3));
    on(
        "NDArray.pow",
        "by an array",
        a -> a.get(0).pow(a.get(1)),
        unit(DataType.FLOAT64, "n", 3),
        second(f64(3)));
    on("NDArray.pow", "int64", a -> a.get(0).pow(2), i64("n", 3));
    on(
        "NDArray.mod",
        "float32 of both signs",
        a -> a.get(0).mod(a.get(1)),
        large(DataType.FLOAT32, "n", 3),
        second(f32(3)));
    on("NDArray.mod", "negative int64", a -> a.get(0).sub(4).mod(3), i64("n", 3));
    on("NDArray.mod", "int64 by negative", a -> a.get(0).sub(4).mod(-3), i64("n", 3));

    Map<String, BinaryOperator<NDArray>> comparisons =
        Map.of(
            "eq",
            NDArray::eq,
            "neq",
            NDArray::neq,
            "gt",
            NDArray::gt,
            "gte",
            NDArray::gte,
            "lt",
            NDArray::lt,
            "lte",
            NDArray::lte);
    comparisons.forEach(
        (name, f) -> {
          on(
              "NDArray." + name,
              "int64",
              a -> f.apply(a.get(0), a.get(1)),
              i64("n", 3),
              second(i64("n", 3)));
          on(
              "NDArray." + name,
              "int64 with float32",
              a -> f.apply(a.get(0), a.get(1)),
              i64("n", 3),
              second(large(DataType.FLOAT32, 3)));
          on(
              "NDArray." + name,
              "int32 with int64",
              a -> f.apply(a.get(0), a.get(1)),
              i32("n", 3),
              second(i64(3)));
          on(
              "NDArray." + name,
              "booleans",
              a -> f.apply(a.get(0), a.get(1)),
              bool("n", 3),
              second(bool("n", 3)));
        });
    Map<String, BiFunction<NDArray, Number, NDArray>> withNumbers =
        Map.of(
            "eq",
            NDArray::eq,
            "neq",
            NDArray::neq,
            "gt",
            NDArray::gt,
            "gte",
            NDArray::gte,
            "lt",
            NDArray::lt,
            "lte",
            NDArray::lte);
    withNumbers.forEach(
        (name, f) -> {
          on("NDArray." + name, "int64 with 2", a -> f.apply(a.get(0), 2), i64("n", 3));
          on("NDArray." + name, "int64 with 2.5f", a -> f.apply(a.get(0), 2.5f), i64("n", 3));
          on("NDArray." + name, "float32 with 0.1", a -> f.apply(a.get(0), 0.1), f32("n", 3));
        });
    on(
        "NDArray.logicalAnd",
        "booleans",
        a -> a.get(0).logicalAnd(a.get(1)),
        bool("n", 3),
        second(bool(3)));
    on(
        "NDArray.logicalAnd",
        "integers",
        a -> a.get(0).logicalAnd(a.get(1)),
        i64("n", 3),
        second(i64("n", 3)));
    on(
        "NDArray.logicalOr",
        "booleans",
        a -> a.get(0).logicalOr(a.get(1)),
        bool("n", 3),
        second(bool("n", 3)));
    on(
        "NDArray.logicalXor",
        "booleans",
        a -> a.get(0).logicalXor(a.get(1)),
        bool("n", 3),
        second(bool("n", 3)));
    unary("NDArray.logicalNot", NDArray::logicalNot, bool("n", 3), i64("n", 3), f32("n", 3));

    unary("NDArray.neg", NDArray::neg, f32("n", 3), f64("n"), i64("n", 3), i32("n"));
    unary("NDArray.abs", x -> x.sub(3).abs(), f32("n", 3), f64("n"), i64("n", 3));
    unary("NDArray.sign", x -> x.sub(3).sign(), f32("n", 3), i64("n", 3));
    unary("NDArray.square", NDArray::square, f32("n", 3), f64("n"), i64("n", 3));
    unary(
        "NDArray.sqrt",
        NDArray::sqrt,
        unit(DataType.FLOAT32, "n", 3),
        unit(DataType.FLOAT64, "n"),
        i64("n"));
    unary(
        "NDArray.cbrt", NDArray::cbrt, unit(DataType.FLOAT32, "n", 3), unit(DataType.FLOAT64, "n"));
    unary("NDArray.exp", NDArray::exp, f32("n", 3), f64("n"), i64("n"));
    unary("NDArray.log", NDArray::log, unit(DataType.FLOAT32, "n", 3), unit(DataType.FLOAT64, "n"));
    unary(
        "NDArray.log2", NDArray::log2, unit(DataType.FLOAT32, "n", 3), unit(DataType.FLOAT64, "n"));
    unary(
        "NDArray.log10",
        NDArray::log10,
        unit(DataType.FLOAT32, "n", 3),
        unit(DataType.FLOAT64, "n"));
    on(
        "NDArray.xlogy",
        "with zeros",
        a -> a.get(0).xlogy(a.get(1)),
        i64("n", 3),
        second(unit(DataType.FLOAT32, "n", 3)));
    unary("NDArray.sin", NDArray::sin, f32("n", 3), f64("n"));
    unary("NDArray.cos", NDArray::cos, f32("n", 3), f64("n"));
    unary("NDArray.tan", NDArray::tan, unit(DataType.FLOAT32, "n", 3), unit(DataType.FLOAT64, "n"));
    unary(
        "NDArray.asin", NDArray::asin, unit(DataType.FLOAT32, "n", 3), unit(DataType.FLOAT64, "n"));
    unary(
        "NDArray.acos", NDArray::acos, unit(DataType.FLOAT32, "n", 3), unit(DataType.FLOAT64, "n"));
    unary("NDArray.atan", NDArray::atan, f32("n", 3), f64("n"));
    unary("NDArray.sinh", NDArray::sinh, f32("n", 3), f64("n"));
    unary("NDArray.cosh", NDArray::cosh, f32("n", 3), f64("n"));
    unary("NDArray.tanh", NDArray::tanh, f32("n", 3), f64("n"));
    unary("NDArray.erf", NDArray::erf, f32("n", 3), f64("n"));
    unary("NDArray.toDegrees", NDArray::toDegrees, f32("n", 3), f64("n"));
    unary("NDArray.toRadians", NDArray::toRadians, f32("n", 3), f64("n"));
    unary(
        "NDArray.floor",
        NDArray::floor,
        large(DataType.FLOAT32, "n", 3),
        large(DataType.FLOAT64, "n"),
        i64("n"));
    unary(
        "NDArray.ceil",
        NDArray::ceil,
        large(DataType.FLOAT32, "n", 3),
        large(DataType.FLOAT64, "n"),
        i64("n"));
    unary("NDArray.round", x -> x.div(2).round(), i64("n", 3), large(DataType.FLOAT64, "n"));
    unary(
        "NDArray.trunc",
        NDArray::trunc,
        large(DataType.FLOAT32, "n", 3),
        large(DataType.FLOAT64, "n"));
    unary("NDArray.isNaN", x -> x.div(x).isNaN(), i64("n", 3), f64("n"));
    unary("NDArray.isInfinite", x -> NDArrays.div(1f, x).isInfinite(), i64("n", 3));
    unary("NDArray.clip", x -> x.clip(-0.5f, 0.5f), f32("n", 3), f64("n"), i64("n"));
    unary("NDArray.clip", x -> x.clip(2, 4), i64("n", 3), i32("n"));
    for (DataType to :
        List.of(
            DataType.FLOAT32,
            DataType.FLOAT64,
            DataType.INT64,
            DataType.INT32,
            DataType.INT8,
            DataType.BOOLEAN)) {
      unary(
          "NDArray.toType",
          x -> x.toType(to, false),
          large(DataType.FLOAT32, "n", 3),
          i64("n", 3),
          bool("n"));
    }
    unary("NDArrayEx.rsub", x -> NDArrays.sub(1f, x), f32("n", 3), f64("n"), i64("n"));
    on(
        "NDArrayEx.rsub",
        "an array",
        a -> a.get(0).getNDArrayInternal().rsub(a.get(1)),
        f32("n", 3),
        second(f32(3)));
    for (Input x : List.of(f32("n", 3), f64("n", 3), i64("n", 3), bool("n", 3))) {
      on(
          "NDArrayEx.where",
          "of " + x,
          a -> NDArrays.where(a.get(2), a.get(0), a.get(1)),
          x,
          second(x),
          third(bool("n", 3)));
    }
  }

  private void activations() {
    Map<String, Function<NDArrayEx, NDArray>> all =
        Map.of(
            "relu", NDArrayEx::relu,
            "sigmoid", NDArrayEx::sigmoid,
            "tanh", NDArrayEx::tanh,
            "softPlus", NDArrayEx::softPlus,
            "softSign", NDArrayEx::softSign,
            "selu", NDArrayEx::selu,
            "gelu", NDArrayEx::gelu);
    all.forEach(
        (name, f) ->
            unary(
                "NDArrayEx." + name, x -> f.apply(x.getNDArrayInternal()), f32("n", 3), f64("n")));
    unary(
        "NDArrayEx.leakyRelu", x -> x.getNDArrayInternal().leakyRelu(0.2f), f32("n", 3), f64("n"));
    unary("NDArrayEx.elu", x -> x.getNDArrayInternal().elu(0.7f), f32("n", 3), f64("n"));
    unary("NDArrayEx.swish", x -> x.getNDArrayInternal().swish(1f), f32("n", 3), f64("n"));
    unary("NDArrayEx.swish", x -> x.getNDArrayInternal().swish(1.7f), f32("n", 3));
    unary("NDArrayEx.relu", x -> x.sub(3).getNDArrayInternal().relu(), i64("n", 3));
    for (int axis : new int[] {-1, 0, 1}) {
      unary("NDArray.softmax", x -> x.softmax(axis), f32("n", 3), f64("n", 3, 2));
      unary("NDArray.logSoftmax", x -> x.logSoftmax(axis), f32("n", 3), f64("n", 3, 2));
    }
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
    RecurrentCases.add((method, title, call, inputs) -> lists(method, title, call, inputs));
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

  private void creation() {
    on(
        "NDManager.create",
        "numbers of each kind",
        a -> {
          NDManager m = a.get(0).getManager();
          return a.get(0)
              .mul(m.create(2f))
              .add(m.create(new float[] {1, 2, 3}))
              .add(m.create(new float[][] {{4}, {5}}).get(1))
              .sub(m.create(new int[] {1, 2, 3}, new Shape(3)));
        },
        f32("n", 3));
    on(
        "NDManager.create",
        "a size that is open",
        a -> a.get(0).mul(a.get(0).getManager().create((float) a.get(0).getShape().get(0))),
        f32("n", 3));
    on(
        "NDManager.create",
        "views of one",
        a ->
            a.get(0)
                .add(
                    a.get(0)
                        .getManager()
                        .create(new float[] {1, 2, 3, 4, 5, 6})
                        .reshape(2, 3)
                        .get(1)),
        f32("n", 3));
    on(
        "NDManager.zeros",
        "of open size",
        a -> a.get(0).getManager().zeros(a.get(0).getShape()),
        f32("n", 3));
    on(
        "NDManager.zeros",
        "of a type",
        a -> a.get(0).getManager().zeros(new Shape(2, a.get(0).getShape().get(0)), DataType.INT64),
        f32("n", 3));
    on(
        "NDManager.ones",
        "of open size",
        a -> a.get(0).getManager().ones(a.get(0).getShape(), DataType.FLOAT64),
        f32("n", 3));
    on(
        "NDManager.ones",
        "without dimensions",
        a -> a.get(0).add(a.get(0).getManager().ones(new Shape())),
        f32("n", 3));
    on(
        "NDManager.full",
        "of open size",
        a -> a.get(0).getManager().full(a.get(0).getShape(), 2.5f),
        f32("n", 3));
    on(
        "NDManager.full",
        "of whole numbers",
        a -> a.get(0).getManager().full(new Shape(a.get(0).getShape().get(0)), 7),
        f32("n", 3));
    on(
        "NDManager.arange",
        "up to an open size",
        a -> a.get(0).getManager().arange(0, (int) a.get(0).getShape().get(0), 1, DataType.INT64),
        f32("n", 3));
    on(
        "NDManager.arange",
        "as floats, in steps",
        a ->
            a.get(0)
                .getManager()
                .arange(3, 3 + 2 * (int) a.get(0).getShape().get(0), 2, DataType.FLOAT32),
        f32("n", 3));
    on(
        "NDManager.arange",
        "fixed, by fractions",
        a -> a.get(0).add(a.get(0).getManager().arange(0f, 0.75f, 0.25f)),
        f32("n", 3));
    on(
        "NDManager.arange",
        "of one number",
        a -> a.get(0).getManager().arange((int) a.get(0).getShape().get(0)),
        f32("n", 3));
    on(
        "NDManager.eye",
        "of open size",
        a -> a.get(0).getManager().eye((int) a.get(0).getShape().get(0)),
        f32("n", 3));
    on(
        "NDManager.eye",
        "fixed",
        a -> a.get(0).matMul(a.get(0).getManager().eye(3, 4, 0)),
        f32("n", 3));
    on(
        "NDManager.linspace",
        "fixed",
        a -> a.get(0).add(a.get(0).getManager().linspace(0f, 1f, 3)),
        f32("n", 3));
    on(
        "NDManager.hanningWindow",
        "fixed",
        a -> a.get(0).mul(a.get(0).getManager().hanningWindow(3)),
        f32("n", 3));
  }

  private void inPlace() {
    on("NDArray.addi", "fresh", a -> a.get(0).mul(2).addi(a.get(0)).addi(1), f32("n", 3));
    on("NDArray.subi", "fresh", a -> a.get(0).mul(2).subi(1), f32("n", 3));
    on("NDArray.muli", "fresh", a -> a.get(0).add(2).muli(a.get(0)), f32("n", 3));
    on("NDArray.divi", "fresh", a -> a.get(0).mul(2).divi(3f), f32("n", 3));
    on("NDArray.modi", "fresh", a -> a.get(0).mul(2).modi(3), i64("n", 3));
    on("NDArray.powi", "fresh", a -> a.get(0).mul(2).powi(2), f32("n", 3));
    on("NDArray.signi", "fresh", a -> a.get(0).mul(2).signi(), f32("n", 3));
    on(
        "NDArray.negi",
        "seen by all who hold it",
        a -> {
          NDArray x = a.get(0).mul(2);
          NDArray same = x.toType(DataType.FLOAT32, false);
          x.negi();
          return same.add(1);
        },
        f32("n", 3));
  }

  /** Default methods without an entry of their own. */
  private void madeOfOthers() {
    unary("NDArrayEx.mish", x -> x.getNDArrayInternal().mish(), f32("n", 3));
    unary("NDArrayEx.rdiv", x -> NDArrays.div(2f, x.add(3)), i64("n", 3), f64("n", 3));
    unary("NDArrayEx.rpow", x -> NDArrays.pow(2f, x), f32("n", 3));
    unary("NDArrayEx.rmod", x -> NDArrays.mod(5, x.add(3)), i64("n", 3));
    unary("NDArrayEx.crop", x -> x.getNDArrayInternal().crop(1, 0, 2, 3), f32("n", 4, 5, 3));
    unary("NDArrayEx.toTensor", x -> x.getNDArrayInternal().toTensor(), f32("n", 4, 5, 3));
    unary(
        "NDArrayEx.normalize",
        x -> x.getNDArrayInternal().normalize(new float[] {1, 2, 3}, new float[] {2, 3, 4}),
        f32("n", 3, 2, 2));
    unary("NDArray.zerosLike", x -> x.zerosLike().add(x), f32("n", 3));
    unary("NDArray.onesLike", NDArray::onesLike, f32("n", 3), i64("n"));
    unary("NDArray.countNonzero", NDArray::countNonzero, i64("n", 3));
    unary("NDArray.countNonzero", x -> x.countNonzero(1), i64("n", 3));
    unary("NDArray.getScalar", x -> x.getScalar(0, 1), f32("n", 3));
    on(
        "NDArrays.add",
        "of several",
        a -> NDArrays.add(a.get(0), a.get(1), a.get(0)),
        f32("n", 3),
        second(f32("n", 3)));
  }
}
