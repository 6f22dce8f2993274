package org.peft4j.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import ai.djl.nn.Block;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Svd;
import org.peft4j.tensor.Torch;

/** What is in a graph and what is left out of it. */
@Tag("fast")
class GraphTest {
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  private static final List<Map<String, Long>> SIZES =
      List.of(Exported.sizes("n", 1), Exported.sizes("n", 6));

  private static OnnxGraph agrees(GraphExport export, double tolerance) throws Exception {
    Comparison c = Exported.compare(export, SIZES, tolerance);
    assertThat(c.passed()).as(c::toString).isTrue();
    return export.trace();
  }

  private static NDArray linear(NDArray x, NDArray w) {
    return x.getNDArrayInternal().linear(x, w, null).get(0);
  }

  private static GraphExport of(Block block, Object... dims) {
    return GraphExport.of(block).inputs(Input.floats("x", dims)).outputs("y");
  }

  @Test
  void a_weight_made_of_parameters_is_one_stored_tensor_under_its_name() throws Exception {
    TestBlock block =
        new TestBlock(
            (p, in, t) -> {
              NDArray delta = Scalars.mul(p.parameter("lora_B").matMul(p.parameter("lora_A")), 0.5);
              return new NDList(linear(in.head(), p.parameter("weight").add(delta)));
            });
    block.with(manager, "weight", 5, 4).with(manager, "lora_A", 2, 4).with(manager, "lora_B", 5, 2);
    try (OnnxGraph graph = agrees(of(block, "n", 4), 1e-6)) {
      assertThat(graph.histogram()).isEqualTo(Map.of("MatMul", 1));
      assertThat(graph.initializers()).singleElement().hasToString("weight float32 (4, 5)");
    }
  }

  @Test
  void of_parameters_anything_can_be_computed() throws Exception {
    TestBlock block =
        new TestBlock(
            (p, in, t) -> {
              NDArray w = p.parameter("w");
              Svd svd = Svd.of(w); // reads the values into Java and back
              NDArray rebuilt = svd.u().mul(svd.s()).matMul(svd.vh());
              NDArray inverse = w.inverse(); // ONNX has no such operator
              NDArray changed = w.duplicate();
              changed.set(w.gt(0), 0.25f);
              return new NDList(
                  in.head().matMul(rebuilt),
                  in.head().matMul(inverse),
                  in.head().add(changed.diagonal()));
            });
    block.with("w", manager.create(new float[] {2, 1, 0, -1, 3, 1, 1, 0, 4}, new Shape(3, 3)));
    try (OnnxGraph graph = agrees(of(block, "n", 3).outputs("a", "b", "c"), 1e-5)) {
      assertThat(graph.histogram()).isEqualTo(Map.of("MatMul", 2, "Add", 1));
      assertThat(graph.initializers())
          .extracting(Initializer::name)
          .containsExactlyInAnyOrder("w", "constant_0", "constant_1");
    }
  }

  @Test
  void a_tied_weight_is_stored_once() throws Exception {
    TestBlock block =
        new TestBlock(
            (p, in, t) -> {
              NDArray w = p.parameter("embedding");
              NDArray x = w.getNDArrayInternal().embedding(in.head(), w, SparseFormat.DENSE).get(0);
              return new NDList(linear(x, w));
            });
    block.with(manager, "embedding", 128, 16);
    GraphExport export = GraphExport.of(block).inputs(Input.ids("x", 128, "n")).outputs("y");
    try (OnnxGraph graph = agrees(export, 1e-5)) {
      assertThat(graph.histogram()).isEqualTo(Map.of("Gather", 1, "Transpose", 1, "MatMul", 1));
      assertThat(graph.initializers()).singleElement().hasToString("embedding float32 (128, 16)");
    }
    try (OnnxGraph graph = agrees(export.contrib(), 1e-5)) {
      assertThat(graph.histogram()).isEqualTo(Map.of("Gather", 1, "FusedMatMul", 1));
      assertThat(graph.initializers()).hasSize(1);
    }
  }

  @Test
  void a_weight_used_twice_is_stored_once_and_equal_ones_are_not_mixed_up() throws Exception {
    TestBlock block =
        new TestBlock(
            (p, in, t) -> {
              NDArray w = p.parameter("w").add(p.parameter("delta"));
              NDArray again = p.parameter("w").add(p.parameter("delta"));
              NDArray x = linear(linear(in.head(), w), again);
              return new NDList(
                  x.add(p.parameter("zeros"))
                      .mul(p.parameter("gain"))
                      .add(p.parameter("other_zeros")));
            });
    block.with(manager, "w", 600, 600).with(manager, "delta", 600, 600).with(manager, "gain", 600);
    block
        .with("zeros", manager.zeros(new Shape(600)))
        .with("other_zeros", manager.zeros(new Shape(600)));
    try (OnnxGraph graph = of(block, "n", 600).trace()) {
      assertThat(graph.initializers())
          .extracting(Initializer::name)
          .containsExactly("w", "zeros", "gain", "other_zeros");
    }
  }

  @Test
  void parameters_that_share_an_array_are_stored_once() throws Exception {
    NDArray shared = manager.create(new float[] {1, 2, 3});
    TestBlock block =
        new TestBlock(
            (p, in, t) -> new NDList(in.head().mul(p.parameter("a")).add(p.parameter("b"))));
    block.with("a", shared).with("b", shared);
    try (OnnxGraph graph = agrees(of(block, "n", 3), 1e-6)) {
      assertThat(graph.initializers()).singleElement().hasToString("a float32 (3)");
    }
  }

  @Test
  void a_parameter_that_is_not_taken_through_the_store_keeps_its_name() throws Exception {
    NDArray shared = manager.create(new float[] {1, 2, 3});
    TestBlock block = new TestBlock((p, in, t) -> new NDList(in.head().mul(shared)));
    block.with("a", shared);
    try (OnnxGraph graph = agrees(of(block, "n", 3), 1e-6)) {
      assertThat(graph.initializers()).singleElement().hasToString("a float32 (3)");
    }
  }

  @Test
  void a_field_that_is_no_parameter_is_a_constant_even_if_it_is_freed() throws Exception {
    Block block =
        Exported.block(
            l -> {
              try (NDManager own = Torch.newManager()) {
                return new NDList(l.head().mul(own.create(new float[] {1, 2, 3}).add(1)));
              }
            });
    try (OnnxGraph graph = agrees(of(block, "n", 3), 1e-6)) {
      assertThat(graph.histogram()).isEqualTo(Map.of("Mul", 1));
    }
  }

  @Test
  void what_is_computed_twice_is_there_once() throws Exception {
    Block block =
        Exported.block(
            l ->
                new NDList(l.head().exp().add(1).mul(l.head().exp().add(1f)).sub(l.head().add(1))));
    try (OnnxGraph graph = agrees(of(block, "n", 3), 1e-5)) {
      assertThat(graph.histogram()).isEqualTo(Map.of("Exp", 1, "Add", 2, "Mul", 1, "Sub", 1));
      assertThat(graph.initializers()).hasSize(1);
    }
  }

  @Test
  void what_changes_nothing_or_is_not_used_is_left_out() throws Exception {
    Block block =
        Exported.block(
            l -> {
              NDArray x = l.head();
              long n = x.getShape().get(0);
              x.exp().sum();
              NDArray y =
                  x.reshape(n, 3)
                      .get("0:{}", n)
                      .broadcast(n, 3)
                      .transpose(0, 1)
                      .toType(DataType.FLOAT32, true)
                      .duplicate();
              return new NDList(y.neg().stopGradient());
            });
    try (OnnxGraph graph = agrees(of(block, "n", 3), 1e-6)) {
      assertThat(graph.histogram()).isEqualTo(Map.of("Neg", 1));
      assertThat(graph.nodes().get(0)).hasToString("y = Neg(x)");
    }
  }

  @Test
  void an_output_that_no_node_makes_is_copied() throws Exception {
    TestBlock block =
        new TestBlock(
            (p, in, t) -> {
              NDArray y = in.head().neg();
              return new NDList(in.head(), p.parameter("w"), y, y, p.parameter("w").add(1));
            });
    block.with(manager, "w", 3);
    try (OnnxGraph graph = agrees(of(block, "n", 3).outputs("a", "b", "c", "d", "e"), 1e-6)) {
      assertThat(graph.histogram()).isEqualTo(Map.of("Neg", 1, "Identity", 4));
    }
  }

  @Test
  void outputs_after_the_last_name_are_left_out() throws Exception {
    Block block = Exported.block(l -> new NDList(l.head().neg(), l.head().exp()));
    try (OnnxGraph graph = agrees(of(block, "n", 3), 1e-6)) {
      assertThat(graph.histogram()).isEqualTo(Map.of("Neg", 1));
    }
  }

  @Test
  void inputs_of_all_types() throws Exception {
    Block block =
        Exported.block(
            l -> {
              NDArray chosen =
                  l.get(0)
                      .mul(l.get(1))
                      .add(l.get(2))
                      .toType(DataType.FLOAT64, false)
                      .add(l.get(3));
              return new NDList(chosen, chosen.mul(l.get(4)), chosen.gt(0), l.get(1).add(l.get(2)));
            });
    GraphExport export =
        GraphExport.of(block)
            .inputs(
                Input.of("f", DataType.FLOAT32, "n", 2),
                Input.of("l", DataType.INT64, "n", 1),
                Input.of("i", DataType.INT32, 2),
                Input.of("d", DataType.FLOAT64, "n", 2),
                Input.of("b", DataType.BOOLEAN, "n", 2))
            .outputs("a", "b_", "c", "d_");
    try (OnnxGraph graph = agrees(export, 1e-6)) {
      assertThat(graph.outputs())
          .extracting(GraphValue::type)
          .containsExactly(DataType.FLOAT64, DataType.FLOAT64, DataType.BOOLEAN, DataType.INT64);
    }
  }

  @Test
  void a_graph_of_float64_is_exact_to_float64() throws Exception {
    TestBlock block =
        new TestBlock(
            (p, in, t) ->
                new NDList(
                    linear(in.head(), p.parameter("w"))
                        .tanh()
                        .softmax(-1)
                        .matMul(p.parameter("w"))));
    block.with(
        "w",
        manager.create(
            new double[] {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}, new Shape(3, 3)));
    GraphExport export =
        GraphExport.of(block).inputs(Input.of("x", DataType.FLOAT64, "n", 3)).outputs("y");
    agrees(export, 1e-14).close();
  }

  @Test
  void names_come_from_the_blocks_without_their_numbers_unless_needed() {
    SequentialBlock inner = new SequentialBlock().add(Linear.builder().setUnits(3).build());
    TestBlock block =
        new TestBlock(
            (p, in, t) ->
                new NDList(
                    p.child("10_layer", p.child("head", in.head())).mul(p.parameter("scale"))));
    block
        .with(manager, "scale", 3)
        .with("10_layer", inner)
        .with("head", Linear.builder().setUnits(3).optBias(false).build());
    inner.initialize(manager, DataType.FLOAT32, new Shape(1, 3));
    block.getChildren().get(1).getValue().initialize(manager, DataType.FLOAT32, new Shape(1, 3));
    try (OnnxGraph graph = of(block, "n", 3).trace()) {
      assertThat(graph.initializers())
          .extracting(Initializer::name)
          .containsExactlyInAnyOrder(
              "scale", "head_weight", "10_layer_Linear_weight", "10_layer_Linear_bias");
    }
    try (OnnxGraph graph =
        of(block, "n", 3)
            .names(p -> p == block.parameter("scale") ? "my.scale" : p.getId())
            .trace()) {
      assertThat(graph.initializers()).extracting(Initializer::name).contains("my.scale");
    }
  }

  @Test
  void versions_are_the_lowest_that_have_the_operators() {
    try (OnnxGraph graph =
        of(Exported.block(l -> new NDList(l.head().mean(new int[] {1}))), "n", 3).trace()) {
      assertThat(graph.opset()).isEqualTo(17);
      assertThat(graph.irVersion()).isEqualTo(8);
      assertThat(graph.nodes().get(0)).hasToString("y = ReduceMean(x; axes=[1]; keepdims=0)");
    }
    try (OnnxGraph graph =
        of(
                Exported.block(
                    l -> new NDList(l.head().mean(new int[] {1}).getNDArrayInternal().gelu())),
                "n",
                3)
            .trace()) {
      assertThat(graph.opset()).isEqualTo(20);
      assertThat(graph.irVersion()).isEqualTo(9);
      assertThat(graph.nodes().get(0))
          .hasToString("reducemean_1 = ReduceMean(x, constant_0; keepdims=0)");
    }
  }

  @Test
  void sizes_are_computed_only_where_they_must_be() throws Exception {
    Block block =
        Exported.block(
            l -> {
              NDArray x = l.head(); // [n, m, 4]
              long n = x.getShape().get(0);
              long m = x.getShape().get(1);
              NDArray a = x.reshape(n, m, 2, 2).reshape(-1, 4).reshape(n * m, 2, 2);
              NDArray b = x.get(new NDIndex(":, 1:{}, :", m)).reshape(n * (m - 1), 4);
              return new NDList(a, b, x.reshape(2, n, 2, m));
            });
    GraphExport export = of(block, "n", "m", 4).outputs("a", "b", "c");
    Exported.compare(
            export, List.of(Exported.sizes("n", 1, "m", 2), Exported.sizes("n", 5, "m", 3)), 0)
        .orThrow();
    try (OnnxGraph graph = export.trace()) {
      assertThat(graph.histogram())
          .containsEntry("Shape", 2)
          .containsEntry("Concat", 1)
          .doesNotContainKey("Add");
      assertThat(graph.outputs().get(0).dims()).containsExactly("n*m", "2", "2");
      assertThat(graph.outputs().get(1).dims()).containsExactly("-n + n*m", "4");
    }
  }

  @Test
  void shows_itself() {
    Block block = Exported.block(l -> new NDList(l.head().mul(2).softmax(-1)));
    try (OnnxGraph graph = of(block, "n", 3).metadata(Map.of("author", "me")).trace()) {
      assertThat(graph)
          .hasToString(
              """
              2 nodes, 1 stored tensors of 0.0 MB, opset 17, IR 8
              input  x float32[n, 3]
                mul_1 = Mul(x, constant_0)
                y = Softmax(mul_1; axis=1)
              output y float32[n, 3]
              {Mul=1, Softmax=1}\
              """);
      assertThat(graph.metadata()).isEqualTo(Map.of("author", "me"));
      assertThat(graph.nodes().get(0).site()).startsWith("GraphTest.java:");
    }
  }

  @Test
  void nothing_is_left_in_the_blocks_managers() throws Exception {
    TestBlock block =
        new TestBlock(
            (p, in, t) -> {
              NDArray w = p.parameter("w");
              // operations of several steps on a weight, whose manager would get what is made on
              // the way
              NDArray made =
                  w.getNDArrayInternal()
                      .rsub(1)
                      .getNDArrayInternal()
                      .mish()
                      .cbrt()
                      .add(w.norm().neg().abs());
              return new NDList(in.head().mul(made).toType(DataType.FLOAT64, false).clip(0, 1));
            });
    block.with(manager, "w", 3);
    int before = manager.getManagedArrays().size();
    try (Scope scope = Scope.open()) {
      agrees(of(block, "n", 3), 1e-5).close();
    }
    assertThat(manager.getManagedArrays()).hasSize(before);
    assertThat(block.parameter("w").getArray().isReleased()).isFalse();
    assertThat(block.parameter("w").getArray().getManager()).isSameAs(manager);
  }
}
