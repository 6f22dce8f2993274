package org.peft4j.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Parameter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.Models;
import org.peft4j.model.Pretrained;
import org.peft4j.onnx.Comparison;
import org.peft4j.onnx.ExportException;
import org.peft4j.onnx.GraphExport;
import org.peft4j.onnx.GraphValue;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.Input;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxNode;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.onnx.TestBlock;
import org.peft4j.spi.Paths;
import org.peft4j.tensor.Attention;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.RootMeanSquare;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/** Graphs in float16, run in ONNX Runtime. */
@Tag("fast")
class HalfTest {
  @TempDir Path dir;

  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final Set<String> PRODUCTS = Set.of("MatMul", "Gemm", "FusedMatMul", "Conv");
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  private static GraphExport export(Pretrained model) {
    IdentityHashMap<Parameter, String> names = new IdentityHashMap<>();
    Paths.parameters(model).forEach((path, p) -> names.put(p, path));
    long vocabulary = model.config().size("vocab_size");
    return GraphExport.of(model)
        .inputs(
            model.inputNames().stream()
                .map(
                    n ->
                        switch (n) {
                          case "input_ids" -> Input.ids(n, vocabulary, "batch", "sequence");
                          case "token_type_ids" ->
                              Input.ids(
                                  n,
                                  model.config().sizeOr(2, "type_vocab_size"),
                                  "batch",
                                  "sequence");
                          default -> Input.mask(n, "batch", "sequence");
                        })
                .toArray(Input[]::new))
        .outputs(model.outputNames().toArray(String[]::new))
        .names(names::get);
  }

  /** Runs a graph beside its block, at sizes that were not traced. */
  private static Comparison compare(GraphExport export, OnnxGraph graph, double tolerance)
      throws IOException {
    Path file = Files.createTempFile("half", ".onnx");
    try {
      graph.write(file);
      try (OnnxSession session = OnnxSession.load(file, 1)) {
        List<Map<String, Long>> sizes =
            List.of(
                Map.of("batch", 1L, "sequence", 1L),
                Map.of("batch", 1L, "sequence", 17L),
                Map.of("batch", 6L, "sequence", 9L));
        return export.compare(session, tolerance, sizes);
      }
    } finally {
      Files.deleteIfExists(file);
    }
  }

  /** The nodes whose operands are stored in float16 or were cast to it. */
  private static Map<Boolean, Set<String>> operators(OnnxGraph graph) {
    Precision types = new Precision(graph, n -> false);
    return graph.nodes().stream()
        .collect(
            Collectors.partitioningBy(
                types::isHalf, Collectors.mapping(OnnxNode::operator, Collectors.toSet())));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "gpt2/lm",
        "families/llama",
        "families/qwen3",
        "families/mistral",
        "encoders/roberta"
      })
  void a_model_computes_nearly_the_same(String name) throws IOException {
    try (Pretrained model = Models.load(GOLDEN.resolve(name))) {
      GraphExport export = export(model);
      try (OnnxGraph graph = export.trace()) {
        OnnxGraph half = Half.of().apply(graph);
        assertThat(half.inputs()).isEqualTo(graph.inputs());
        assertThat(half.outputs()).isEqualTo(graph.outputs());
        assertThat(half.bytes()).isLessThan(graph.bytes() * 55 / 100);
        Comparison c = compare(export, half, 2e-2);
        assertThat(c.passed()).as(c::toString).isTrue();
        assertThat(c.largestDifference()).as("it is not float32").isGreaterThan(1e-5);
        double agreement =
            c.rows().stream().mapToDouble(Comparison.Row::agreement).average().orElseThrow();
        assertThat(agreement).as(c::toString).isGreaterThan(0.95);
        Map<Boolean, Set<String>> operators = operators(graph);
        assertThat(operators.get(true)).contains("MatMul");
        assertThat(operators.get(true))
            .doesNotContain(
                "Softmax", "LayerNormalization", "ReduceMean", "Sqrt", "Pow", "Sin", "Cos");
        assertThat(operators.get(false)).doesNotContainAnyElementsOf(PRODUCTS);
        assertThat(Half.of().loss(graph).relative()).isLessThan(1f / 2048);
      }
    }
  }

  private OnnxGraph trace(TestBlock block, Object... dims) {
    return GraphExport.of(block).inputs(Input.floats("x", dims)).outputs("y").trace();
  }

  private static Map<String, Long> casts(OnnxGraph graph) {
    return graph.nodes().stream()
        .filter(n -> n.operator().equals("Cast"))
        .collect(
            Collectors.groupingBy(n -> n.attributes().get("to").toString(), Collectors.counting()));
  }

  @Test
  void a_norm_by_hand_stays_whole_and_in_float32() throws IOException {
    TestBlock block =
        new TestBlock(
            (p, in, t) -> {
              NDArray h = in.head().matMul(p.parameter("up"));
              NDArray n = RootMeanSquare.plain(h, p.parameter("gain"), 1e-6);
              return new NDList(n.matMul(p.parameter("down")));
            });
    block.with(manager, "up", 8, 16).with(manager, "gain", 16).with(manager, "down", 16, 8);
    try (OnnxGraph graph = trace(block, "n", 8)) {
      OnnxGraph half = Half.of().apply(graph);
      // x to 16; the product to 32, the norm back to 16; the result to 32
      assertThat(casts(half)).isEqualTo(Map.of("10", 2L, "1", 2L));
      assertThat(half.histogram()).containsEntry("Cast", 4);
      assertThat(half.initializers())
          .filteredOn(i -> i.type() == DataType.FLOAT16)
          .extracting(Initializer::name)
          .containsExactly("up", "down");
      // the square of a small number is 0 in float16, so the norm of a small row would be infinite
      NDArray x = Scalars.mul(Seed.of(2).normal(manager, new Shape(3, 8), 1), 3e-4);
      NDArray expected = ProductGraph.run(graph, manager, Map.of("x", x)).get("y");
      NDArray found = ProductGraph.run(half, manager, Map.of("x", x)).get("y");
      assertThat(ProductGraph.off(found, expected)).isLessThan(5e-3f);
    }
  }

  /** Attention over a mask of numbers that float16 has not. */
  private TestBlock attention(double masked) {
    TestBlock block =
        new TestBlock(
            (p, in, t) -> {
              NDArray x = in.get(0);
              long b = x.getShape().get(0);
              long s = x.getShape().get(1);
              NDArray seen = in.get(1).toType(DataType.FLOAT32, false).reshape(b, 1, 1, s);
              NDArray bias = Scalars.mul(Scalars.mul(seen.sub(1), -1), masked);
              NDArray h = x.matMul(p.parameter("w")).reshape(b, s, 2, 4).transpose(0, 2, 1, 3);
              NDArray y = Attention.of(h, h, h, bias).transpose(0, 2, 1, 3).reshape(b, s, 8);
              // what is masked flows into a product too
              NDArray shown = x.get(":, :, 0:1").add(bias.reshape(b, s, 1));
              return new NDList(y.matMul(p.parameter("o")), shown.matMul(p.parameter("show")));
            });
    return block
        .with(manager, "w", 8, 8)
        .with(manager, "o", 8, 8)
        .with("show", manager.ones(new Shape(1, 1)));
  }

  @ParameterizedTest
  @ValueSource(doubles = {-3.4028234663852886e38, -1e30, -1e9})
  void masks_are_clamped_where_they_become_float16(double masked) throws IOException {
    GraphExport export =
        GraphExport.of(attention(masked))
            .inputs(
                Input.floats("x", "batch", "sequence", 8), Input.mask("mask", "batch", "sequence"))
            .outputs("y", "shown");
    try (OnnxGraph graph = export.trace()) {
      OnnxGraph half = Half.of().apply(graph);
      assertThat(half.histogram()).containsEntry("Clip", 1);
      NDArray x = Seed.of(3).normal(manager, new Shape(2, 3, 8), 1);
      NDArray mask = Buffers.create(manager, new long[] {1, 1, 0, 0, 1, 1}, new Shape(2, 3));
      Map<String, NDArray> in = Map.of("x", x, "mask", mask);
      Map<String, NDArray> expected = ProductGraph.run(graph, manager, in);
      Map<String, NDArray> found = ProductGraph.run(half, manager, in);
      assertThat(ProductGraph.off(found.get("y"), expected.get("y"))).isLessThan(5e-3f);
      assertThat(found.get("shown").min().getFloat()).isEqualTo(-65504);
    }
  }

  @Test
  void what_float16_cannot_hold_stays_float32() throws IOException {
    TestBlock block =
        new TestBlock(
            (p, in, t) -> {
              NDArray x = in.head();
              NDArray length = x.square().sum(new int[] {-1}, true).sqrt();
              NDArray unit = x.div(NDArrays.maximum(length, 1e-12f));
              return new NDList(unit.matMul(p.parameter("small")).matMul(p.parameter("large")));
            });
    NDArray large = Seed.of(1).normal(manager, new Shape(8, 4), 1);
    Buffers.view(large).asFloatBuffer().put(5, 1e6f);
    block.with(manager, "small", 8, 8).with("large", large);
    try (OnnxGraph graph = trace(block, "n", 8)) {
      OnnxGraph half = Half.of().apply(graph);
      assertThat(half.initializers())
          .filteredOn(i -> i.type() == DataType.FLOAT16)
          .extracting(Initializer::name)
          .containsExactly("small");
      NDArray x = Seed.of(2).normal(manager, new Shape(3, 8), 1);
      x.set(new ai.djl.ndarray.index.NDIndex("0"), 0); // of length 0
      NDArray expected = ProductGraph.run(graph, manager, Map.of("x", x)).get("y");
      NDArray found = ProductGraph.run(half, manager, Map.of("x", x)).get("y");
      assertThat(ProductGraph.off(found, expected)).isLessThan(5e-3f);
    }
  }

  @Test
  void an_overflow_is_an_error_and_can_be_kept_out() throws IOException {
    TestBlock block =
        new TestBlock(
            (p, in, t) -> {
              NDArray h = Activation.relu(in.head().matMul(p.parameter("up")));
              return new NDList(h.matMul(p.parameter("down")));
            });
    block
        .with("up", manager.full(new Shape(8, 8), 3000f))
        .with("down", manager.full(new Shape(8, 8), 3000f));
    try (OnnxGraph graph = trace(block, "n", 8)) {
      NDArray x = manager.full(new Shape(1, 8), 2f);
      assertThatThrownBy(() -> checked(graph, Half.of()))
          .isInstanceOf(ExportException.class)
          .hasMessageContainingAll("was not written", "Half.keeping");
      Half kept = Half.of().keeping(n -> n.inputs().contains("down"));
      OnnxGraph mixed = kept.apply(graph);
      Map<String, NDArray> fine = ProductGraph.run(mixed, manager, Map.of("x", x));
      NDArray expected = ProductGraph.run(graph, manager, Map.of("x", x)).get("y");
      assertThat(ProductGraph.off(fine.get("y"), expected)).isLessThan(1e-3f);
    }
  }

  /** Writes the graph by a pass, as an export does, and holds it against the one before. */
  private void checked(OnnxGraph graph, Half pass) throws IOException {
    NDArray x = manager.full(new Shape(1, 8), 2f);
    NDArray expected = ProductGraph.run(graph, manager, Map.of("x", x)).get("y");
    try (GraphFile.Drafts drafts = new GraphFile.Drafts()) {
      drafts.add(
          pass.apply(graph),
          dir.resolve("checked.onnx"),
          session -> {
            NDArray found = session.run(manager, Map.of("x", x)).get("y");
            return new Comparison(
                List.of(Comparison.Row.of(Map.of(), "y", expected, found)), pass.tolerance());
          },
          pass.loss(graph));
      drafts.install();
    }
  }

  @Test
  void the_cache_of_keys_keeps_its_type() {
    TestBlock block =
        new TestBlock(
            (p, in, t) -> {
              NDArray k = in.get(0).matMul(p.parameter("w"));
              NDArray all = in.get(1).concat(k, 1);
              return new NDList(k.matMul(all.transpose(0, 2, 1)), all);
            });
    block.with(manager, "w", 8, 8);
    try (OnnxGraph graph =
        GraphExport.of(block)
            .inputs(
                Input.floats("x", "batch", "sequence", 8), Input.floats("past", "batch", "past", 8))
            .outputs("y", "present")
            .trace()) {
      OnnxGraph half = Half.of().apply(graph);
      assertThat(half.inputs()).extracting(GraphValue::type).containsOnly(DataType.FLOAT32);
      assertThat(half.outputs()).extracting(GraphValue::type).containsOnly(DataType.FLOAT32);
      OnnxNode concat =
          half.nodes().stream()
              .filter(n -> n.operator().equals("Concat"))
              .findFirst()
              .orElseThrow();
      assertThat(concat.inputs()).as("appended to without a cast of the past").contains("past");
      assertThat(concat.outputs()).containsExactly("present");
    }
  }

  @Test
  void integers_may_be_packed_first() throws IOException {
    TestBlock block =
        new TestBlock(
            (p, in, t) ->
                new NDList(
                    in.head().matMul(p.parameter("head")).tanh().matMul(p.parameter("rest"))));
    block.with(manager, "head", 32, 32).with(manager, "rest", 32, 8);
    try (OnnxGraph graph = trace(block, "n", 32)) {
      OnnxGraph packed = WeightOnly.int8().minimum(32 * 32).accuracyLevel(1).apply(graph);
      OnnxGraph both = Half.of().apply(packed);
      assertThat(both.histogram()).containsEntry("MatMulNBits", 1).containsEntry("MatMul", 1);
      assertThat(both.initializers())
          .filteredOn(i -> i.name().equals("head_scales"))
          .extracting(Initializer::type)
          .containsExactly(DataType.FLOAT32);
      NDArray x = Seed.of(2).normal(manager, new Shape(3, 32), 1);
      NDArray expected = ProductGraph.run(packed, manager, Map.of("x", x)).get("y");
      NDArray found = ProductGraph.run(both, manager, Map.of("x", x)).get("y");
      assertThat(ProductGraph.off(found, expected)).isLessThan(5e-3f);
    }
  }
}
