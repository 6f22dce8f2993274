package org.peft4j.export;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.peft4j.onnx.GraphValue;
import org.peft4j.onnx.Input;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.tensor.Torch;

/**
 * Runs a graph and looks for infinite values and NaN in what comes out, the sign of an overflow.
 */
public final class FiniteCheck {
  private FiniteCheck() {}

  /**
   * Runs the graph on the inputs' own samples.
   *
   * @param inputs those that the graph was traced with
   * @param sizes of the named dimensions
   * @throws IllegalStateException where an output holds values that are not finite
   */
  public static void run(OnnxSession session, List<Input> inputs, Map<String, Long> sizes) {
    List<String> asked = session.inputs().stream().map(GraphValue::name).toList();
    try (NDManager manager = Torch.newManager()) {
      Map<String, NDArray> arrays = new LinkedHashMap<>();
      inputs.stream()
          .filter(i -> asked.contains(i.name()))
          .forEach(i -> arrays.put(i.name(), i.values(manager, sizes)));
      require(session.run(manager, arrays));
    }
  }

  /**
   * Looks through outputs.
   *
   * @throws IllegalStateException where one holds values that are not finite
   */
  public static void require(Map<String, NDArray> outputs) {
    List<String> problems = new ArrayList<>();
    outputs.forEach(
        (name, array) -> {
          if (array.getDataType().isFloating() && array.size() > 0) {
            long count = 0;
            for (double v : array.toType(DataType.FLOAT64, false).toDoubleArray()) {
              count += Double.isFinite(v) ? 0 : 1;
            }
            if (count > 0) {
              problems.add(
                  count + " of the " + array.size() + " values of \"" + name + "\" are not");
            }
          }
        });
    if (!problems.isEmpty()) {
      throw new IllegalStateException(
          "the graph's values leave the range of its type"
              + "\nexpected: finite outputs\nfound: "
              + String.join("\nfound: ", problems)
              + "\nfix: keep the nodes that grow too large in float32 by Half.keeping, or store "
              + "the weights as integers, which compute in float32");
    }
  }
}
