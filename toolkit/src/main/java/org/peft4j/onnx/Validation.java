package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
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
  private final OnnxSession session;
  private final double tolerance;

  Validation(
      Block block,
      List<Input> inputs,
      List<String> outputs,
      OnnxSession session,
      double tolerance) {
    this.block = block;
    this.inputs = inputs;
    this.outputs = outputs;
    this.session = session;
    this.tolerance = tolerance;
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
    List<String> asked = session.inputs().stream().map(GraphValue::name).toList();
    arrays.keySet().retainAll(asked); // an input that the block ignores is not in the file
    Map<String, NDArray> found = session.run(manager, arrays);
    List<Comparison.Row> rows = new ArrayList<>();
    for (int i = 0; i < outputs.size(); i++) {
      rows.add(
          row(
              sizes,
              outputs.get(i),
              expected.get(i),
              Objects.requireNonNull(found.get(outputs.get(i)))));
    }
    return rows;
  }

  private static Comparison.Row row(
      Map<String, Long> sizes, String output, NDArray expected, NDArray found) {
    if (!expected.getShape().equals(found.getShape())
        || expected.getDataType() != found.getDataType()) {
      String note =
          "expected "
              + Types.text(expected.getDataType())
              + " "
              + expected.getShape()
              + ", found "
              + Types.text(found.getDataType())
              + " "
              + found.getShape();
      return new Comparison.Row(sizes, output, Double.POSITIVE_INFINITY, 0, 0, note);
    }
    double[] a = doubles(expected);
    double[] b = doubles(found);
    double difference = 0;
    double largest = 0;
    for (int i = 0; i < a.length; i++) {
      boolean same = a[i] == b[i] || (Double.isNaN(a[i]) && Double.isNaN(b[i]));
      double d = same ? 0 : Math.abs(a[i] - b[i]);
      difference = Math.max(difference, Double.isNaN(d) ? Double.POSITIVE_INFINITY : d);
      largest = Math.max(largest, Double.isFinite(a[i]) ? Math.abs(a[i]) : 0);
    }
    return new Comparison.Row(
        sizes, output, difference, largest, agreement(expected.getShape(), a, b), "");
  }

  private static double[] doubles(NDArray array) {
    return array.toType(DataType.FLOAT64, false).toDoubleArray();
  }

  private static double agreement(Shape shape, double[] a, double[] b) {
    int width =
        shape.dimension() == 0 || a.length == 0 ? 1 : (int) shape.get(shape.dimension() - 1);
    int rows = a.length / width;
    int same = 0;
    for (int r = 0; r < rows; r++) {
      same += largest(a, r * width, width) == largest(b, r * width, width) ? 1 : 0;
    }
    return rows == 0 ? 1 : (double) same / rows;
  }

  private static int largest(double[] x, int from, int n) {
    int best = from;
    for (int i = from; i < from + n; i++) {
      best = x[i] > x[best] ? i : best;
    }
    return best;
  }
}
