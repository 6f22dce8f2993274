package org.peft4j.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import ai.djl.nn.Activation;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.tensor.Attention;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** Transformers written out by hand, with open batch and sequence. */
@Tag("fast")
class TransformerTest {
  private static final int WIDTH = 8;
  private static final int HEADS = 2;
  private static final int VOCABULARY = 50;

  /** What only sizes are computed with. */
  private static final Set<String> BOOKKEEPING = Set.of("Shape", "Concat");

  private final NDManager manager = Torch.newManager();

  @TempDir Path dir;

  @AfterEach
  void close() {
    manager.close();
  }

  /** A block like BERT's: post-norm, bias everywhere, gelu, padding mask. */
  private TestBlock encoder(int layers) {
    TestBlock block =
        new TestBlock(
            (p, in, training) -> {
              NDArray ids = in.get(0);
              long b = ids.getShape().get(0);
              long s = ids.getShape().get(1);
              NDArray x =
                  embed(p.parameter("word"), ids).add(p.parameter("position").get("0:{}", s));
              x = norm(p, "start", x);
              NDArray seen = in.get(1).toType(DataType.FLOAT32, false).reshape(b, 1, 1, s);
              NDArray bias = Scalars.mul(seen.sub(1), 3.4e38);
              for (int l = 0; l < layers; l++) {
                try (Scope scope =
                    Scope.open()) { // frees what is made in a layer, which a trace must survive
                  x = scope.keep(layer(p, "layer" + l + ".", x, bias));
                }
              }
              return new NDList(x, linear(p, "pooler", x.get(":, 0")).tanh());
            });
    block.with(manager, "word", VOCABULARY, WIDTH).with(manager, "position", 20, WIDTH);
    normed(block, "start");
    lineared(block, "pooler", WIDTH, WIDTH);
    for (int l = 0; l < layers; l++) {
      for (String name : List.of("q", "k", "v", "o")) {
        lineared(block, "layer" + l + "." + name, WIDTH, WIDTH);
      }
      lineared(block, "layer" + l + ".up", 4 * WIDTH, WIDTH);
      lineared(block, "layer" + l + ".down", WIDTH, 4 * WIDTH);
      normed(block, "layer" + l + ".n1");
      normed(block, "layer" + l + ".n2");
    }
    return block;
  }

  private void lineared(TestBlock block, String name, int out, int in) {
    block.with(manager, name + ".weight", out, in).with(manager, name + ".bias", out);
  }

  private void normed(TestBlock block, String name) {
    block.with(manager, name + ".weight", WIDTH).with(manager, name + ".bias", WIDTH);
  }

  private static NDArray layer(TestBlock.Parts p, String prefix, NDArray x, NDArray bias) {
    NDArray attended =
        Attention.of(
            heads(linear(p, prefix + "q", x)),
            heads(linear(p, prefix + "k", x)),
            heads(linear(p, prefix + "v", x)),
            bias);
    NDArray merged = attended.transpose(0, 2, 1, 3).reshape(x.getShape());
    NDArray y = norm(p, prefix + "n1", linear(p, prefix + "o", merged).add(x));
    return norm(
        p,
        prefix + "n2",
        linear(p, prefix + "down", Activation.gelu(linear(p, prefix + "up", y))).add(y));
  }

  private static NDArray heads(NDArray x) {
    Shape s = x.getShape();
    return x.reshape(s.get(0), s.get(1), HEADS, WIDTH / HEADS).transpose(0, 2, 1, 3);
  }

  private static NDArray embed(NDArray table, NDArray ids) {
    return table.getNDArrayInternal().embedding(ids, table, SparseFormat.DENSE).get(0);
  }

  private static NDArray linear(TestBlock.Parts p, String name, NDArray x) {
    return x.getNDArrayInternal()
        .linear(x, p.parameter(name + ".weight"), p.parameter(name + ".bias"))
        .get(0);
  }

  private static NDArray norm(TestBlock.Parts p, String name, NDArray x) {
    return x.getNDArrayInternal()
        .layerNorm(
            x, new Shape(WIDTH), p.parameter(name + ".weight"), p.parameter(name + ".bias"), 1e-5f)
        .get(0);
  }

  private GraphExport export(TestBlock block) {
    return GraphExport.of(block)
        .inputs(
            Input.ids("input_ids", VOCABULARY, "batch", "sequence"),
            Input.mask("attention_mask", "batch", "sequence"))
        .outputs("last_hidden_state", "pooled");
  }

  @Test
  void values_inside_have_the_shapes_that_the_file_tells() throws Exception {
    List<GraphValue> told;
    Path file = dir.resolve("open.onnx");
    try (OnnxGraph graph = export(encoder(2)).trace()) {
      told = graph.values();
      assertThat(told.stream().map(GraphValue::name))
          .containsExactlyElementsOf(
              graph.nodes().stream()
                  .filter(n -> !BOOKKEEPING.contains(n.operator()))
                  .flatMap(n -> n.outputs().stream())
                  .filter(n -> graph.outputs().stream().noneMatch(o -> o.name().equals(n)))
                  .toList());
      OnnxGraph open =
          new OnnxGraph(
              graph.nodes(),
              graph.initializers(),
              graph.inputs(),
              told,
              List.of(),
              graph.opset(),
              Map.of(),
              null);
      open.write(file);
    }
    try (OnnxSession session = OnnxSession.load(file, 1)) {
      for (long[] at : new long[][] {{1, 1}, {3, 20}, {20, 3}}) {
        Map<String, NDArray> run =
            session.run(
                manager,
                Map.of(
                    "input_ids", manager.ones(new Shape(at), DataType.INT64),
                    "attention_mask", manager.ones(new Shape(at), DataType.INT64)));
        Map<String, String> sizes =
            new HashMap<>(Map.of("batch", at[0] + " asked", "sequence", at[1] + " asked"));
        for (GraphValue v : told) {
          NDArray found = Objects.requireNonNull(run.get(v.name()));
          assertThat(v.misfit(found.getDataType(), found.getShape(), sizes)).isNull();
          assertThat(v.dims()).doesNotContain("");
        }
      }
    }
  }

  @Test
  void onnx_runtime_fuses_every_sum_with_the_norm_behind_it() throws Exception {
    Path file = dir.resolve("m.onnx");
    Path optimised = dir.resolve("optimised.onnx");
    try (OnnxGraph graph = export(encoder(2)).trace()) {
      graph.write(file);
    }
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL);
      options.setOptimizedModelFilePath(optimised.toString());
      OnnxSession.environment().createSession(file.toString(), options).close();
    }
    assertThat(
            ModelProto.parseFrom(Files.readAllBytes(optimised)).getGraph().getNodeList().stream()
                .filter(n -> n.getOpType().equals("SkipLayerNormalization")))
        .hasSize(4);
  }

  @Test
  void an_encoder_computes_the_same_at_sizes_it_was_not_traced_at() throws Exception {
    GraphExport export = export(encoder(2));
    Comparison c =
        Exported.compare(
            export,
            List.of(
                Exported.sizes("batch", 1, "sequence", 1),
                Exported.sizes("batch", 1, "sequence", 17),
                Exported.sizes("batch", 6, "sequence", 1),
                Exported.sizes("batch", 4, "sequence", 20)),
            1e-5);
    assertThat(c.passed()).as(c::toString).isTrue();
    assertThat(c.rows()).hasSize(8).allMatch(r -> r.agreement() == 1 && r.largest() > 0.1);
  }

  @Test
  void its_graph_is_as_small_as_by_hand() {
    try (OnnxGraph graph = export(encoder(2)).trace()) {
      assertThat(graph.histogram())
          .isEqualTo(
              Map.ofEntries(
                  Map.entry("Gather", 2), // word, the pooler's first token
                  Map.entry("Shape", 1), // of the mask's or ids' sequence, for the position table
                  Map.entry("Slice", 1),
                  Map.entry("Cast", 1),
                  Map.entry("Sub", 1),
                  Map.entry("Mul", 3), // mask, scores of 2 layers
                  Map.entry(
                      "Add",
                      1 + 2 * (1 + 6 + 2) + 1), // positions; scores, biases, residuals; pooler
                  Map.entry("LayerNormalization", 5),
                  Map.entry("MatMul", 2 * 8 + 1),
                  Map.entry("Reshape", 1 + 2 * 4),
                  Map.entry("Transpose", 2 * 5),
                  Map.entry("Softmax", 2),
                  Map.entry("Gelu", 2),
                  Map.entry("Tanh", 1)));
      assertThat(graph.opset()).isEqualTo(20);
      assertThat(graph.irVersion()).isEqualTo(9);
      assertThat(graph.inputs())
          .extracting(GraphValue::dims)
          .containsExactly(List.of("batch", "sequence"), List.of("batch", "sequence"));
      assertThat(graph.outputs())
          .extracting(GraphValue::dims)
          .containsExactly(List.of("batch", "sequence", "8"), List.of("batch", "8"));
      assertThat(graph.initializers())
          .extracting(Initializer::name)
          .contains("word", "layer0.q.weight", "layer1.n2.bias");
    }
  }

  @Test
  void a_decoder_reads_the_total_length_from_the_input_that_has_it() throws Exception {
    TestBlock block =
        new TestBlock(
            (p, in, training) -> {
              NDArray x = embed(p.parameter("word"), in.get(0));
              long s = x.getShape().get(1);
              long total = in.get(1).getShape().get(1);
              NDArray past = in.get(2);
              NDManager m = x.getManager();
              NDArray all = past.concat(x, 1); // [B, past + S, W]
              NDArray q =
                  m.arange((int) (total - s), (int) total, 1, DataType.INT64).reshape(1, s, 1);
              NDArray k = m.arange(0, (int) total, 1, DataType.INT64).reshape(1, 1, total);
              NDArray seen = k.lte(q).logicalAnd(in.get(1).reshape(-1, 1, total).gt(0));
              NDArray bias = seen.logicalNot().toType(DataType.FLOAT32, false).mul(-1e9f);
              NDArray y =
                  x.matMul(all.transpose(0, 2, 1))
                      .div((float) Math.sqrt(WIDTH))
                      .add(bias)
                      .softmax(-1)
                      .matMul(all);
              return new NDList(y.matMul(p.parameter("word").transpose()), all, y.get(":, -1"));
            });
    block.with(manager, "word", VOCABULARY, WIDTH);
    GraphExport export =
        GraphExport.of(block)
            .inputs(
                Input.ids("input_ids", VOCABULARY, "batch", "sequence"),
                Input.mask("attention_mask", "batch", "total = past + sequence")
                    .sampled(Sample.leftMask()),
                Input.floats("past_states", "batch", "past", WIDTH))
            .outputs("logits", "states", "last");
    Comparison c =
        Exported.compare(
            export,
            List.of(
                Exported.sizes("batch", 1, "sequence", 1, "past", 0),
                Exported.sizes("batch", 2, "sequence", 1, "past", 9),
                Exported.sizes("batch", 3, "sequence", 12, "past", 0),
                Exported.sizes("batch", 2, "sequence", 4, "past", 3)),
            1e-5);
    assertThat(c.passed()).as(c::toString).isTrue();
    try (OnnxGraph graph = export.trace()) {
      assertThat(graph.outputs().get(1).dims()).containsExactly("batch", "total", "8");
      List<OnnxNode> shapes =
          graph.nodes().stream().filter(n -> n.operator().equals("Shape")).toList();
      assertThat(shapes)
          .extracting(n -> n.inputs().get(0) + n.attributes().get("start"))
          .containsExactlyInAnyOrder("past_states1", "attention_mask1");
      assertThat(graph.initializers())
          .filteredOn(i -> i.shape().size() == VOCABULARY * WIDTH)
          .hasSize(2);
    }
  }
}
