package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/** What each method of the operator table is tried on; {@code n} is an open dimension. */
abstract class OperatorCases {
  /**
   * A call of the method.
   *
   * @param call from the inputs to the outputs
   */
  record Case(String title, List<Input> inputs, Function<NDList, NDList> call) {}

  private final Map<String, List<Case>> cases = new TreeMap<>();

  static Map<String, List<Case>> all() {
    Map<String, List<Case>> all = new TreeMap<>();
    for (OperatorCases some :
        List.of(
            new ElementwiseCases(),
            new ReductionCases(),
            new LayoutCases(),
            new IndexCases(),
            new LayerCases(),
            new RecurrentCases(),
            new CreationCases())) {
      some.add();
      some.cases.forEach((m, list) -> all.computeIfAbsent(m, k -> new ArrayList<>()).addAll(list));
    }
    return all;
  }

  abstract void add();

  final void lists(String method, String title, Function<NDList, NDList> call, Input... inputs) {
    cases
        .computeIfAbsent(method, k -> new ArrayList<>())
        .add(new Case(title, List.of(inputs), call));
  }

  final void on(String method, String title, Function<NDList, NDArray> call, Input... inputs) {
    lists(method, title, x -> new NDList(call.apply(x)), inputs);
  }

  final void unary(String method, UnaryOperator<NDArray> call, Input... inputs) {
    for (Input input : inputs) {
      on(method, "of " + input, x -> call.apply(x.get(0)), input);
    }
  }

  static Input f32(Object... dims) {
    return Input.of("x", DataType.FLOAT32, dims);
  }

  static Input f64(Object... dims) {
    return Input.of("x", DataType.FLOAT64, dims);
  }

  static Input i64(Object... dims) {
    return Input.of("x", DataType.INT64, dims).sampled(Sample.below(7));
  }

  static Input i32(Object... dims) {
    return Input.of("x", DataType.INT32, dims).sampled(Sample.below(7));
  }

  static Input bool(Object... dims) {
    return Input.of("x", DataType.BOOLEAN, dims);
  }

  static Input second(Input input) {
    return new Input("y", input.type(), input.dims(), input.sample());
  }

  static Input third(Input input) {
    return new Input("z", input.type(), input.dims(), input.sample());
  }

  /** Values in (0, 1). */
  static Input unit(DataType type, Object... dims) {
    return Input.of("x", type, dims)
        .sampled(d -> d.seed().uniform(d.manager(), d.shape(), 0.05, 0.95).toType(d.type(), false));
  }

  static Input large(DataType type, Object... dims) {
    return Input.of("x", type, dims)
        .sampled(d -> d.seed().normal(d.manager(), d.shape(), 5).toType(d.type(), false));
  }
}
