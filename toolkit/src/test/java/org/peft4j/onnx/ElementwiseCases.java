package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.internal.NDArrayEx;
import ai.djl.ndarray.types.DataType;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.function.BinaryOperator;
import java.util.function.Function;

/** Arithmetic, comparisons, functions, activations; also in place. */
final class ElementwiseCases extends OperatorCases {
  @Override
  void add() {
    elementwise();
    activations();
    inPlace();
    madeOfOthers();
  }

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
