package org.peft4j.export;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.peft4j.onnx.GraphExport;
import org.peft4j.onnx.GraphValue;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.Input;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxNode;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.onnx.TestBlock;

/** Graphs of one product, and running graphs. */
final class ProductGraph {
  private ProductGraph() {}

  /** {@code x weight^T}, weight {@code [out, in]} under the name "weight". */
  static OnnxGraph linear(NDArray weight) {
    TestBlock block =
        new TestBlock(
            (p, in, t) ->
                new NDList(
                    in.head().getNDArrayInternal().linear(in.head(), p.parameter("weight"), null)));
    return GraphExport.of(block.with("weight", weight))
        .inputs(Input.floats("x", "rows", weight.getShape().get(1)))
        .outputs("y")
        .trace();
  }

  /** The same graph with one node in the place of its product. */
  static OnnxGraph with(
      OnnxGraph graph,
      String domain,
      String operator,
      Map<String, Object> attributes,
      List<String> operands,
      List<Initializer> stored) {
    List<GraphValue> inputs = graph.inputs();
    OnnxNode node =
        new OnnxNode("p", domain, operator, operands, List.of("y"), new TreeMap<>(attributes), "");
    return graph.with(List.of(node), stored, inputs);
  }

  static Map<String, NDArray> run(OnnxGraph graph, NDManager manager, Map<String, NDArray> inputs)
      throws IOException {
    Path file = Files.createTempFile("graph", ".onnx");
    try {
      graph.write(file);
      try (OnnxSession session = OnnxSession.load(file, 1)) {
        return session.run(manager, inputs);
      }
    } finally {
      Files.deleteIfExists(file);
    }
  }

  /** The largest absolute difference over the largest absolute value of {@code expected}. */
  static float off(NDArray found, NDArray expected) {
    return found.sub(expected).abs().max().getFloat() / expected.abs().max().getFloat();
  }
}
