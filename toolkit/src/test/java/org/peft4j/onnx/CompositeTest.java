package org.peft4j.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.tensor.Torch;

/** Functions for which ONNX Runtime has one operator. */
@Tag("fast")
class CompositeTest {
  private static final List<Map<String, Long>> SIZES =
      List.of(Exported.sizes("n", 1), Exported.sizes("n", 6));
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  private static NDArray rmsNorm(NDArray x, NDArray gain) {
    return x.mul(NDArrays.div(1f, x.square().mean(new int[] {-1}, true).add(1e-6f).sqrt()))
        .mul(gain);
  }

  private GraphExport export() {
    TestBlock block =
        new TestBlock(
            (p, in, t) -> {
              NDArray x = in.head();
              NDArray skip = x.mul(2);
              NDList both =
                  Tracing.composite(
                      "com.microsoft",
                      "SkipSimplifiedLayerNormalization",
                      Map.of("epsilon", 1e-6f),
                      a -> {
                        NDArray sum = a[0].add(a[1]);
                        NDList out = new NDList(rmsNorm(sum, a[2]));
                        out.add(null);
                        out.add(null);
                        out.add(sum);
                        return out;
                      },
                      x,
                      skip,
                      p.parameter("gain"),
                      null);
              NDArray gelu =
                  Tracing.composite(
                          "com.microsoft",
                          "QuickGelu",
                          Map.of("alpha", 1f),
                          a -> new NDList(a[0].mul(a[0].getNDArrayInternal().sigmoid())),
                          both.get(0))
                      .get(0);
              return new NDList(gelu, both.get(3));
            });
    block.with(manager, "gain", 4);
    return GraphExport.of(block).inputs(Input.floats("x", "n", 3, 4)).outputs("y", "sum");
  }

  @Test
  void is_one_node_where_the_export_allows_it() throws Exception {
    Comparison c = Exported.compare(export().contrib(), SIZES, 1e-5);
    assertThat(c.passed()).as(c::toString).isTrue();
    try (OnnxGraph graph = export().contrib().trace()) {
      assertThat(graph.histogram())
          .isEqualTo(Map.of("Mul", 1, "SkipSimplifiedLayerNormalization", 1, "QuickGelu", 1));
      assertThat(graph.nodes().get(1).outputs()).hasSize(4).contains("", "sum");
      assertThat(graph.nodes().get(1).site()).startsWith("CompositeTest.java:");
    }
  }

  @Test
  void is_what_it_stands_for_otherwise() throws Exception {
    Comparison c = Exported.compare(export(), SIZES, 1e-5);
    assertThat(c.passed()).as(c::toString).isTrue();
    try (OnnxGraph graph = export().trace()) {
      assertThat(graph.nodes()).allMatch(n -> n.domain().isEmpty());
      assertThat(graph.histogram()).containsEntry("ReduceMean", 1).containsEntry("Sigmoid", 1);
    }
  }

  @Test
  void simply_runs_outside_a_trace() {
    NDArray x = manager.create(new float[] {1, 2});
    assertThat(Tracing.isTraced(x)).isFalse();
    NDList y =
        Tracing.composite("com.microsoft", "Double", Map.of(), a -> new NDList(a[0].mul(2)), x);
    assertThat(y.head().toFloatArray()).containsExactly(2, 4);
  }

  @Test
  void an_operator_of_onnx_itself_raises_the_version() throws Exception {
    var block =
        Exported.block(
            l -> {
              assertThat(Tracing.isTraced(l.head())).isTrue();
              return Tracing.composite(
                  "", "Gelu", Map.of("approximate", "tanh"), CompositeTest::tanhGelu, l.head());
            });
    try (OnnxGraph graph =
        GraphExport.of(block).inputs(Input.floats("x", "n", 3)).outputs("y").trace()) {
      assertThat(graph.nodes()).singleElement().hasToString("y = Gelu(x; approximate=tanh)");
      assertThat(graph.opset()).isEqualTo(20);
    }
    var plain =
        Exported.block(
            l ->
                Tracing.composite(
                    "", "Gelu", Map.of("approximate", "tanh"), CompositeTest::tanhGelu, l.head()));
    Comparison c =
        Exported.compare(
            GraphExport.of(plain).inputs(Input.floats("x", "n", 3)).outputs("y"), SIZES, 1e-6);
    assertThat(c.passed()).as(c::toString).isTrue();
  }

  private static NDList tanhGelu(NDArray[] a) {
    NDArray x = a[0];
    return new NDList(
        x.mul(0.5f)
            .mul(
                x.add(x.pow(3).mul(0.044715f)).mul((float) Math.sqrt(2 / Math.PI)).tanh().add(1f)));
  }
}
