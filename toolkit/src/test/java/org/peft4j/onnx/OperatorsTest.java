package org.peft4j.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import ai.djl.nn.Block;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** Every method of the operator table computes in ONNX Runtime what it computes in DJL. */
@Tag("fast")
class OperatorsTest {
  private final Map<String, List<OperatorCases.Case>> cases = OperatorCases.all();

  @TestFactory
  Stream<DynamicNode> every_method() {
    TreeSet<String> methods = new TreeSet<>(Operators.methods());
    TracedArray.inPlaceMethods().forEach(m -> methods.add("NDArray." + m));
    methods.addAll(cases.keySet());
    return methods.stream().map(m -> dynamicContainer(m, tests(m)));
  }

  private Stream<DynamicNode> tests(String method) {
    List<OperatorCases.Case> of = cases.getOrDefault(method, List.of());
    Stream<DynamicNode> some =
        Stream.of(
            dynamicTest("has cases", () -> assertThat(of).as("cases of %s", method).isNotEmpty()));
    return Stream.concat(some, of.stream().map(c -> dynamicTest(c.title(), () -> agrees(c))));
  }

  private static void agrees(OperatorCases.Case c) throws Exception {
    Block block = Exported.block(c.call());
    Input[] inputs = c.inputs().toArray(Input[]::new);
    int outputs = outputs(c);
    GraphExport export = GraphExport.of(block).inputs(inputs).outputs(Exported.names(outputs));
    Comparison comparison =
        Exported.compare(export, List.of(Exported.sizes("n", 1), Exported.sizes("n", 6)), 1e-5);
    assertThat(comparison.passed()).as(comparison::toString).isTrue();
  }

  private static int outputs(OperatorCases.Case c) {
    try (var manager = org.peft4j.tensor.Torch.newManager()) {
      var list = new ai.djl.ndarray.NDList();
      c.inputs().forEach(i -> list.add(i.values(manager, Exported.sizes("n", 2))));
      return c.call().apply(list).size();
    }
  }
}
