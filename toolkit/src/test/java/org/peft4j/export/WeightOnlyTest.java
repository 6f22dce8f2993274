package org.peft4j.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.peft4j.onnx.GraphExport;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.Input;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxNode;
import org.peft4j.onnx.TestBlock;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/** Graphs with integer weights, run in ONNX Runtime. */
@Tag("fast")
class WeightOnlyTest {
  @TempDir Path folder;
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  private NDArray normal(String name, long... shape) {
    return Seed.of(11).at(name).normal(manager, new Shape(shape), 0.5);
  }

  private WeightOnly pass(int bits, int block, boolean zeros, int accuracy) {
    WeightOnly pass = bits == 4 ? WeightOnly.int4() : WeightOnly.int8();
    pass = pass.blockSize(block).accuracyLevel(accuracy).minimum(1);
    return zeros ? pass.withZeroPoints() : pass;
  }

  /** The weight {@code [out, in]} that the stored codes stand for. */
  private NDArray decoded(OnnxGraph graph, String name, long n, long k, int bits, int block) {
    boolean zeros =
        graph.initializers().stream().anyMatch(i -> i.name().equals(name + "_zero_points"));
    float[][] w =
        Blocks.decode(
            Blocks.bytes(Blocks.stored(graph, name + "_Q" + bits)),
            Blocks.floats(Blocks.bytes(Blocks.stored(graph, name + "_scales"))),
            zeros ? Blocks.bytes(Blocks.stored(graph, name + "_zero_points")) : null,
            (int) n,
            (int) k,
            bits,
            block);
    NDArray out = manager.create(new Shape(n, k));
    for (int row = 0; row < n; row++) {
      Buffers.view(out).position((int) (4L * row * k)).asFloatBuffer().put(w[row]);
    }
    return out;
  }

  @ParameterizedTest
  @CsvSource({
    "4, 16, 24, 48", "4, 32, 24, 97", "4, 32, 40, 96", "4, 64, 17, 200", "4, 128, 33, 384",
    "4, 256, 16, 300", "8, 16, 24, 40", "8, 32, 24, 96", "8, 128, 33, 300", "8, 256, 16, 256"
  })
  void onnx_runtime_computes_with_the_weights_that_the_bytes_stand_for(
      int bits, int block, long n, long k) throws IOException {
    NDArray x = normal("x", 7, k);
    try (OnnxGraph graph = ProductGraph.linear(normal("weight", n, k))) {
      for (boolean zeros : new boolean[] {false, true}) {
        for (int accuracy : new int[] {1, 4}) {
          OnnxGraph made = pass(bits, block, zeros, accuracy).apply(graph);
          assertThat(made.histogram()).isEqualTo(Map.of("MatMulNBits", 1));
          assertThat(made.initializers()).hasSize(zeros ? 3 : 2);
          NDArray expected = x.matMul(decoded(made, "weight", n, k, bits, block).transpose());
          NDArray y = ProductGraph.run(made, manager, Map.of("x", x)).get("y");
          // level 4 rounds what flows in to int8, block by block
          assertThat(ProductGraph.off(y, expected))
              .as("zero points %s, accuracy level %d", zeros, accuracy)
              .isLessThan(accuracy == 1 ? 1e-5f : 2e-2f);
        }
      }
    }
  }

  @Test
  void products_written_in_other_ways_are_found() throws IOException {
    NDArray weight = normal("weight", 12, 32);
    NDArray x = normal("x", 3, 32);
    NDArray bias = normal("bias", 12);
    Initializer rows = Initializer.of("w", weight);
    Initializer columns = Initializer.of("w", weight.transpose());
    Initializer b = Initializer.of("b", bias);
    WeightOnly pass = pass(4, 16, false, 1);
    try (OnnxGraph graph = ProductGraph.linear(weight)) {
      OnnxGraph direct = pass.apply(graph);
      NDArray product = ProductGraph.run(direct, manager, Map.of("x", x)).get("y");
      Map<OnnxGraph, NDArray> same =
          Map.of(
              ProductGraph.with(
                  graph,
                  "",
                  "Gemm",
                  Map.of("transB", 1L),
                  List.of("x", "w", "b"),
                  List.of(rows, b)),
              product.add(bias),
              ProductGraph.with(
                  graph, "", "Gemm", Map.of("alpha", 1f), List.of("x", "w"), List.of(columns)),
              product,
              ProductGraph.with(
                  graph,
                  "com.microsoft",
                  "FusedMatMul",
                  Map.of("transB", 1L),
                  List.of("x", "w"),
                  List.of(rows)),
              product);
      same.forEach(
          (written, expected) -> {
            OnnxGraph made = pass.apply(written);
            assertThat(made.histogram()).isEqualTo(Map.of("MatMulNBits", 1));
            try {
              NDArray y = ProductGraph.run(made, manager, Map.of("x", x)).get("y");
              assertThat(ProductGraph.off(y, expected)).isLessThan(1e-6f);
            } catch (IOException e) {
              throw new java.io.UncheckedIOException(e);
            }
          });
      for (Map<String, Object> other :
          List.<Map<String, Object>>of(
              Map.of("transB", 1L, "alpha", 2f), Map.of("transB", 1L, "transA", 1L))) {
        OnnxGraph gemm =
            ProductGraph.with(graph, "", "Gemm", other, List.of("x", "w"), List.of(rows));
        assertThat(pass.apply(gemm).histogram()).isEqualTo(Map.of("Gemm", 1));
      }
      OnnxGraph replaceable =
          graph.with(
              graph.nodes(),
              graph.initializers(),
              List.of(
                  graph.inputs().get(0),
                  new org.peft4j.onnx.GraphValue("weight", DataType.FLOAT32, List.of("32", "12"))));
      assertThat(pass.apply(replaceable).histogram()).isEqualTo(Map.of("MatMul", 1));
    }
  }

  @Test
  void small_matrices_and_those_not_asked_for_stay() {
    try (OnnxGraph graph = ProductGraph.linear(normal("weight", 24, 40))) {
      assertThat(WeightOnly.int4().apply(graph).histogram()).isEqualTo(Map.of("MatMul", 1));
      assertThat(WeightOnly.int4().minimum(24 * 40).apply(graph).histogram())
          .isEqualTo(Map.of("MatMulNBits", 1));
      assertThat(
              WeightOnly.int4().minimum(1).only(n -> !n.startsWith("w")).apply(graph).histogram())
          .isEqualTo(Map.of("MatMul", 1));
      assertThat(WeightOnly.int4().apply(graph).initializers())
          .extracting(Initializer::name)
          .containsExactly("weight");
    }
    assertThat(WeightOnly.int4().weights().test("layer.q_proj.lora_A.weight")).isFalse();
  }

  /** A language model's two ends: ids are looked up in the table, and multiplied with it. */
  private GraphExport tied(NDArray table) {
    TestBlock block =
        new TestBlock(
            (p, in, t) -> {
              NDArray w = p.parameter("table");
              NDArray h = w.getNDArrayInternal().embedding(in.head(), w, SparseFormat.DENSE).get(0);
              return new NDList(h, h.matMul(w.transpose()));
            });
    return GraphExport.of(block.with("table", table))
        .inputs(Input.ids("ids", table.getShape().get(0), "batch", "sequence"))
        .outputs("hidden", "logits");
  }

  @ParameterizedTest
  @CsvSource({"4, 16, 64", "4, 32, 64", "4, 32, 50", "8, 16, 64", "8, 64, 40"})
  void a_tied_table_is_packed_once_for_both_ends(int bits, int block, long k) throws IOException {
    NDArray table = normal("table", 30, k);
    NDArray ids = Buffers.create(manager, new long[] {0, 29, 7, 7, 3, 12}, new Shape(2, 3));
    for (boolean zeros : new boolean[] {false, true}) {
      try (OnnxGraph graph = tied(table).contrib().trace()) {
        WeightOnly pass = pass(bits, block, zeros, 1);
        assertThat(pass.apply(graph).histogram()).isEqualTo(Map.of("Gather", 1, "MatMulNBits", 1));
        OnnxGraph both = pass.withEmbeddings().apply(graph);
        boolean shared = k % block == 0;
        assertThat(both.histogram())
            .containsEntry("GatherBlockQuantized", 1)
            .containsEntry("MatMulNBits", 1)
            .hasSize(shared ? 3 : 2);
        NDArray w = decoded(both, "table", 30, k, bits, block);
        NDArray rows = w.getNDArrayInternal().embedding(ids, w, SparseFormat.DENSE).get(0);
        Map<String, NDArray> found = ProductGraph.run(both, manager, Map.of("ids", ids));
        assertThat(ProductGraph.off(found.get("hidden"), rows)).isLessThan(1e-6f);
        assertThat(ProductGraph.off(found.get("logits"), rows.matMul(w.transpose())))
            .isLessThan(1e-5f);
        assertThat(both.bytes()).isLessThan(graph.bytes());
        assertThat(pass.withEmbeddings().loss(graph).tensors()).hasSize(1);
      }
    }
  }

  @Test
  void a_product_with_a_transposed_weight_takes_its_rows() {
    NDArray weight = normal("weight", 12, 32);
    try (OnnxGraph graph = ProductGraph.linear(weight)) {
      OnnxNode turn =
          new OnnxNode(
              "t",
              "",
              "Transpose",
              List.of("w"),
              List.of("t"),
              new TreeMap<>(Map.of("perm", new long[] {1, 0})),
              "");
      OnnxNode product =
          new OnnxNode("p", "", "MatMul", List.of("x", "t"), List.of("y"), new TreeMap<>(), "");
      OnnxGraph written =
          graph.with(List.of(turn, product), List.of(Initializer.of("w", weight)), graph.inputs());
      OnnxGraph made = pass(4, 16, false, 1).apply(written);
      assertThat(made.histogram()).isEqualTo(Map.of("MatMulNBits", 1));
      OnnxGraph direct = pass(4, 16, false, 1).apply(graph);
      assertThat(Blocks.bytes(Blocks.stored(made, "w_Q4")))
          .isEqualTo(Blocks.bytes(Blocks.stored(direct, "weight_Q4")));
    }
  }

  @Test
  void a_table_alone_is_packed_when_asked() throws IOException {
    NDArray table = normal("table", 30, 48);
    TestBlock block =
        new TestBlock(
            (p, in, t) -> {
              NDArray w = p.parameter("table");
              return new NDList(
                  w.getNDArrayInternal().embedding(in.head(), w, SparseFormat.DENSE).get(0));
            });
    NDArray ids = Buffers.create(manager, new long[] {4, 0, 29}, new Shape(1, 3));
    try (OnnxGraph graph =
        GraphExport.of(block.with("table", table))
            .inputs(Input.ids("ids", 30, "batch", "sequence"))
            .outputs("y")
            .trace()) {
      assertThat(pass(4, 16, true, 1).apply(graph).histogram()).isEqualTo(Map.of("Gather", 1));
      OnnxGraph made = pass(4, 16, true, 1).withEmbeddings().apply(graph);
      assertThat(made.histogram()).isEqualTo(Map.of("GatherBlockQuantized", 1));
      NDArray y = ProductGraph.run(made, manager, Map.of("ids", ids)).get("y");
      NDArray expected =
          table.getNDArrayInternal().embedding(ids, table, SparseFormat.DENSE).get(0);
      assertThat(ProductGraph.off(y, expected)).isBetween(1e-4f, 0.15f);
      assertThat(pass(4, 16, true, 1).withEmbeddings().loss(graph).tensors()).hasSize(1);
    }
  }

  @Test
  void passes_follow_each_other() {
    TestBlock block =
        new TestBlock(
            (p, in, t) ->
                new NDList(
                    in.head().matMul(p.parameter("body")).tanh().matMul(p.parameter("head"))));
    block.with(manager, "body", 32, 32).with(manager, "head", 32, 40);
    try (OnnxGraph graph =
        GraphExport.of(block).inputs(Input.floats("x", "n", 32)).outputs("y").trace()) {
      OnnxGraph mixed =
          WeightOnly.int4()
              .minimum(1)
              .apply(WeightOnly.int8().minimum(1).only(n -> n.equals("head")).apply(graph));
      assertThat(mixed.nodes())
          .filteredOn(n -> n.operator().equals("MatMulNBits"))
          .extracting(n -> n.attributes().get("bits"))
          .containsExactly(4L, 8L);
      assertThat(mixed.metadata().get("quantization")).contains("int8/128", "int4/32");
      assertThat(mixed.nodes()).extracting(OnnxNode::outputs).contains(List.of("y"));
    }
  }

  @Test
  void nothing_is_written_where_a_weight_is_not_finite() throws IOException {
    NDArray weight = normal("weight", 8, 32);
    Buffers.view(weight).asFloatBuffer().put(40, Float.NaN);
    try (OnnxGraph graph = ProductGraph.linear(weight)) {
      OnnxGraph made = pass(4, 32, false, 4).apply(graph);
      assertThatThrownBy(() -> made.write(folder.resolve("m.onnx")))
          .hasMessageContainingAll("weight weight", "finite");
    }
    try (var files = Files.list(folder)) {
      assertThat(files).isEmpty();
    }
  }

  @Test
  void the_loss_says_what_each_weight_and_all_of_them_lose() {
    NDArray weight = normal("weight", 64, 256);
    try (OnnxGraph graph = ProductGraph.linear(weight)) {
      QuantisationLoss four = WeightOnly.int4().loss(graph);
      QuantisationLoss zeros = WeightOnly.int4().withZeroPoints().loss(graph);
      QuantisationLoss eight = WeightOnly.int8().loss(graph);
      assertThat(four.relative()).isBetween(zeros.relative() / 2, 0.15);
      assertThat(eight.relative()).isLessThan(four.relative() / 8);
      assertThat(eight.rootMeanSquare()).isLessThan(four.rootMeanSquare() / 8);
      assertThat(four.bytesBefore()).isEqualTo(graph.bytes());
      assertThat(four.bytesAfter()).isEqualTo(WeightOnly.int4().apply(graph).bytes());
      assertThat(zeros.bytesAfter())
          .isEqualTo(WeightOnly.int4().withZeroPoints().apply(graph).bytes());
      assertThat(four.toString()).contains("weight", "int4/32", "total", "1 of them");
      assertThat(four.and(eight).tensors()).hasSize(2);
    }
  }

  @Test
  void options_that_onnx_runtime_does_not_have_are_refused() {
    assertThatThrownBy(() -> WeightOnly.int4().blockSize(33)).hasMessageContaining("found: 33");
    assertThatThrownBy(() -> WeightOnly.int4().accuracyLevel(5)).hasMessageContaining("found: 5");
  }
}
