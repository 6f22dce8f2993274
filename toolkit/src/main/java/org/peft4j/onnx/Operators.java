package org.peft4j.onnx;

import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The operator table: what each method of DJL's arrays is in ONNX. A default method that is not
 * here is recorded as what it is made of; a method in place as the one that is not; anything else
 * is refused by name.
 */
final class Operators {
  private static final Map<String, Emitter> TABLE = new TreeMap<>();

  static {
    // element by element
    array("add", Elementwise.arithmetic("Add"));
    array("sub", Elementwise.arithmetic("Sub"));
    array("mul", Elementwise.arithmetic("Mul"));
    array("div", Elementwise.arithmetic("Div"));
    array("pow", Elementwise.arithmetic("Pow"));
    array("maximum", Elementwise.arithmetic("Max"));
    array("minimum", Elementwise.arithmetic("Min"));
    array("mod", Elementwise::remainder);
    array("eq", Elementwise.comparison("Equal"));
    array("neq", Elementwise::notEqual);
    array("gt", Elementwise.comparison("Greater"));
    array("gte", Elementwise.comparison("GreaterOrEqual"));
    array("lt", Elementwise.comparison("Less"));
    array("lte", Elementwise.comparison("LessOrEqual"));
    array("logicalAnd", Elementwise.logical("And"));
    array("logicalOr", Elementwise.logical("Or"));
    array("logicalXor", Elementwise.logical("Xor"));
    array("logicalNot", Elementwise::not);
    array("neg", Elementwise.unary("Neg"));
    array("abs", Elementwise.unary("Abs"));
    array("sign", Elementwise.unary("Sign"));
    array("square", Elementwise::square);
    array("sqrt", Elementwise.unary("Sqrt"));
    array("cbrt", c -> c.array().pow(1.0 / 3));
    array("exp", Elementwise.unary("Exp"));
    array("log", Elementwise.unary("Log"));
    array("log2", c -> c.array().log().mul(1 / Math.log(2)));
    array("log10", c -> c.array().log().mul(1 / Math.log(10)));
    array("xlogy", Elementwise::xlogy);
    array("sin", Elementwise.unary("Sin"));
    array("cos", Elementwise.unary("Cos"));
    array("tan", Elementwise.unary("Tan"));
    array("asin", Elementwise.unary("Asin"));
    array("acos", Elementwise.unary("Acos"));
    array("atan", Elementwise.unary("Atan"));
    array("sinh", Elementwise.unary("Sinh"));
    array("cosh", Elementwise.unary("Cosh"));
    array("tanh", Elementwise.unary("Tanh"));
    array("erf", Elementwise.unary("Erf"));
    array("toDegrees", c -> c.array().mul(180.0).div(Math.PI));
    array("toRadians", c -> c.array().mul(Math.PI).div(180.0));
    array("floor", Elementwise.rounding("Floor"));
    array("ceil", Elementwise.rounding("Ceil"));
    array("round", Elementwise.rounding("Round"));
    array("trunc", c -> c.array().sign().mul(c.array().abs().floor()));
    array("isNaN", Elementwise.test("IsNaN"));
    array("isInfinite", Elementwise.test("IsInf"));
    array("clip", Elementwise::clip);
    array("toType", Elementwise::toType);
    internal("rsub", Elementwise::subtractedFrom);
    internal("where", Elementwise::where);

    // activations
    internal("relu", Elementwise.unary("Relu"));
    internal("sigmoid", Elementwise::sigmoid);
    internal("tanh", Elementwise.unary("Tanh"));
    internal("softPlus", Elementwise.unary("Softplus"));
    internal("softSign", Elementwise.unary("Softsign"));
    internal("leakyRelu", Elementwise.sloped("LeakyRelu"));
    internal("elu", Elementwise.sloped("Elu"));
    internal("selu", Elementwise.unary("Selu"));
    internal("gelu", Elementwise.unary("Gelu"));
    internal("swish", Elementwise::swish);
    array("softmax", Elementwise.softmax("Softmax"));
    array("logSoftmax", Elementwise.softmax("LogSoftmax"));

    // over axes
    array("sum", Reductions.reduce("ReduceSum"));
    array("mean", Reductions.reduce("ReduceMean"));
    array("max", Reductions.reduce("ReduceMax"));
    array("min", Reductions.reduce("ReduceMin"));
    array("prod", Reductions.reduce("ReduceProd"));
    array("all", Reductions.truth("ReduceMin", false));
    array("any", Reductions.truth("ReduceMax", false));
    array("none", Reductions.truth("ReduceMax", true));
    array("norm", Reductions::norm);
    array("normalize", Reductions::normalize);
    array("argMax", Reductions.arg("ArgMax"));
    array("argMin", Reductions.arg("ArgMin"));
    array("cumSum", Reductions::cumulativeSum);
    array("topK", Reductions::topK);
    array("sort", Reductions::sort);
    array("argSort", Reductions::argSort);
    array("matMul", Reductions::product);
    array("batchMatMul", Reductions::product);
    array("dot", Reductions::product);

    // form
    array("reshape", Layout::reshape);
    array("flatten", Layout::reshape);
    array("expandDims", Layout::expandDims);
    array("squeeze", Layout::squeeze);
    array("transpose", Layout::transpose);
    array("swapAxes", Layout::swapAxes);
    array("flip", Layout::flip);
    array("broadcast", Layout::broadcast);
    array("tile", Layout::tile);
    array("repeat", Layout::repeat);
    array("split", Layout::split);
    array("pad", Layout::pad);
    array("duplicate", c -> c.trace().array(c.self()));
    array("toDense", c -> c.trace().array(c.self()));
    array("stopGradient", Call::array);
    array("scaleGradient", Call::array);
    array("toDevice", Call::array);
    internal("concat", Layout::concat);
    internal("stack", Layout::stack);

    // by index
    array("get", Indexing::get);
    array("set", Indexing::set);
    array("gather", Gathering::gather);
    array("gatherNd", Gathering::gatherNd);
    array("take", Gathering::take);
    array("scatter", Gathering::scatter);
    array("oneHot", Gathering::oneHot);

    // layers
    internal("linear", Neural::linear);
    internal("embedding", Neural::embedding);
    internal("layerNorm", Neural::layerNorm);
    internal("batchNorm", Neural::batchNorm);
    internal("dropout", Neural::dropout);
    internal("convolution", Neural::convolution);
    internal("maxPool", Neural::maxPool);
    internal("avgPool", Neural::averagePool);
    internal("lpPool", Neural::lpPool);
    internal("globalMaxPool", Neural.globalPool("ReduceMax"));
    internal("globalAvgPool", Neural.globalPool("ReduceMean"));
    internal("globalLpPool", Neural::globalLpPool);
    internal("interpolation", Neural::interpolation);
    internal("rnn", Recurrent::rnn);
    internal("gru", Recurrent::gru);
    internal("lstm", Recurrent::lstm);

    // new arrays
    manager("create", Creation::create);
    manager("zeros", Creation.fill(0));
    manager("ones", Creation.fill(1));
    manager("full", Creation::full);
    manager("arange", Creation::arange);
    manager("eye", Creation::eye);
    manager("linspace", Creation::constant);
    manager("hanningWindow", Creation::constant);
  }

  private Operators() {}

  private static void array(String method, Emitter emitter) {
    TABLE.put("NDArray." + method, emitter);
  }

  private static void internal(String method, Emitter emitter) {
    TABLE.put("NDArrayEx." + method, emitter);
  }

  private static void manager(String method, Emitter emitter) {
    TABLE.put("NDManager." + method, emitter);
  }

  static @Nullable Emitter find(String method) {
    return TABLE.get(method);
  }

  /** Such as {@code NDArray.matMul}. */
  static Set<String> methods() {
    return Collections.unmodifiableSet(TABLE.keySet());
  }
}
