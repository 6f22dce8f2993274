package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** Runs a block and a session side by side. */
final class Validation {
  private final Block block;
  private final List<Input> inputs;
  private final List<String> outputs;
  private final AdaptedSession session;
  private final double tolerance;
  private final Counted counted;

  Validation(
      Block block,
      List<Input> inputs,
      List<String> outputs,
      AdaptedSession session,
      double tolerance,
      Counted counted) {
    this.block = block;
    this.inputs = inputs;
    this.outputs = outputs;
    this.session = session;
    this.tolerance = tolerance;
    this.counted = counted;
  }

  Comparison at(List<Map<String, Long>> sizes) {
    List<Comparison.Row> rows = new ArrayList<>();
    for (Map<String, Long> s : sizes) {
      try (NDManager manager = Torch.newManager();
          Scope scope = Scope.open()) {
        Torch.inference(() -> rows.addAll(run(manager, s)));
      }
    }
    return new Comparison(rows, tolerance);
  }

  private List<Comparison.Row> run(NDManager manager, Map<String, Long> sizes) {
    Map<String, NDArray> arrays = new LinkedHashMap<>();
    inputs.forEach(i -> arrays.put(i.name(), i.values(manager, sizes)));
    Map<String, NDArray> given = Map.copyOf(arrays);
    NDList expected;
    try {
      expected =
          block.forward(new ParameterStore(manager, false), new NDList(arrays.values()), false);
    } catch (RuntimeException e) {
      throw new IllegalStateException(
          "the block itself fails at "
              + Grid.describe(sizes)
              + "\nfound: "
              + e
              + "\nfix: compare at sizes that it takes",
          e);
    }
    List<String> asked = session.session().inputs().stream().map(GraphValue::name).toList();
    arrays.keySet().retainAll(asked); // an input that the block ignores is not in the file
    Map<String, NDArray> found = session.run(manager, arrays);
    List<Comparison.Row> rows = new ArrayList<>();
    for (int i = 0; i < outputs.size(); i++) {
      String output = outputs.get(i);
      NDArray weights = counted.weights(output, given);
      NDArray here = expected.get(i);
      NDArray there = Objects.requireNonNull(found.get(output));
      rows.add(
          weights == null || !here.getShape().equals(there.getShape())
              ? Comparison.Row.of(sizes, output, here, there)
              : Comparison.Row.of(sizes, output, here.mul(weights), there.mul(weights)));
    }
    return rows;
  }
}
