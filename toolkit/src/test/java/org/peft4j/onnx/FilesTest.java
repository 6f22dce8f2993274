package org.peft4j.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.tensor.Torch;

/** The bytes that reach the disk. */
@Tag("fast")
class FilesTest {
  @TempDir Path folder;
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  /** A matrix of 1.2 MB, a vector of 2.4 kB and one of 40 bytes. */
  private GraphExport export() {
    TestBlock block =
        new TestBlock(
            (p, in, t) -> {
              NDArray x = in.head();
              NDArray y =
                  x.getNDArrayInternal()
                      .linear(x, p.parameter("weight"), p.parameter("bias"))
                      .get(0);
              return new NDList(
                  y.matMul(p.parameter("weight").get("0:, 0:10")).add(p.parameter("small")));
            });
    block.with(manager, "weight", 600, 512).with(manager, "bias", 600).with(manager, "small", 10);
    return GraphExport.of(block)
        .inputs(Input.floats("x", "batch", 512))
        .outputs("y")
        .metadata(Map.of("language", "en", "a", "b"));
  }

  private static Comparison compare(GraphExport export, Path file) {
    try (OnnxSession session = OnnxSession.load(file, 1)) {
      return export.compare(session);
    }
  }

  private String[] files() throws IOException {
    try (var list = Files.list(folder)) {
      return list.map(p -> p.getFileName().toString()).sorted().toArray(String[]::new);
    }
  }

  @Test
  void large_tensors_go_to_a_file_of_their_own_on_page_borders() throws Exception {
    Path file = folder.resolve("model.onnx");
    try (OnnxGraph graph = export().trace()) {
      assertThat(graph.writeWithExternalData(file))
          .containsExactly(file, folder.resolve("model.onnx.data"));
    }
    assertThat(files()).containsExactly("model.onnx", "model.onnx.data");
    assertThat(Files.size(file)).isLessThan(2000);
    ModelProto model = ModelProto.parseFrom(Files.readAllBytes(file));
    byte[] data = Files.readAllBytes(folder.resolve("model.onnx.data"));
    for (TensorProto t : model.getGraph().getInitializerList()) {
      if (t.getName().equals("small")) {
        assertThat(t.getRawData().size()).isEqualTo(40);
        continue;
      }
      assertThat(t.getDataLocation()).isEqualTo(TensorProto.DataLocation.EXTERNAL);
      assertThat(t.getExternalData(0).getValue()).isEqualTo("model.onnx.data");
      int offset = Integer.parseInt(t.getExternalData(1).getValue());
      int length = Integer.parseInt(t.getExternalData(2).getValue());
      if (t.getName().equals("weight")) { // stored transposed, [512, 600]
        assertThat(offset % 4096).isZero();
        assertThat(t.getDimsList()).containsExactly(512L, 600L);
        float[] stored = floats(data, offset, length);
        float[] w =
            org.peft4j.tensor.Seed.of(5)
                .at("weight")
                .normal(manager, new Shape(600, 512), 0.3)
                .transpose()
                .toFloatArray();
        assertThat(stored).isEqualTo(w);
      }
    }
    Comparison c = compare(export(), file);
    assertThat(c.passed()).as(c::toString).isTrue();
  }

  private static float[] floats(byte[] data, int offset, int length) {
    float[] floats = new float[length / 4];
    ByteBuffer.wrap(data, offset, length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .asFloatBuffer()
        .get(floats);
    return floats;
  }

  @Test
  void tensors_are_embedded_below_the_limit_and_not_above() throws Exception {
    try (OnnxGraph graph = export().trace()) {
      assertThat(ModelWriter.write(graph, folder.resolve("a.onnx"), graph.bytes())).hasSize(1);
      assertThat(ModelWriter.write(graph, folder.resolve("b.onnx"), graph.bytes() - 1)).hasSize(2);
    }
    assertThat(files()).containsExactly("a.onnx", "b.onnx", "b.onnx.data");
    Comparison c = compare(export(), folder.resolve("a.onnx"));
    assertThat(c.passed()).as(c::toString).isTrue();
  }

  @Test
  void a_graph_runs_on_tensors_where_they_stand_in_its_file() throws Exception {
    Path file = folder.resolve("m.onnx");
    Path referring = folder.resolve("r.onnx");
    GraphExport export = export();
    try (OnnxGraph graph = export.trace()) {
      List<Path> written = graph.write(file);
      ModelWriter.writeReferring(graph, referring, file);
      byte[] bytes = Files.readAllBytes(file);
      List<TensorProto> whole = ModelProto.parseFrom(bytes).getGraph().getInitializerList();
      List<TensorProto> others =
          ModelProto.parseFrom(Files.readAllBytes(referring)).getGraph().getInitializerList();
      assertThat(others).hasSameSizeAs(whole);
      int referred = 0;
      for (int i = 0; i < others.size(); i++) {
        TensorProto t = others.get(i);
        if (t.getDataLocation() == TensorProto.DataLocation.EXTERNAL) {
          int offset = Integer.parseInt(t.getExternalData(1).getValue());
          int length = Integer.parseInt(t.getExternalData(2).getValue());
          assertThat(Arrays.copyOfRange(bytes, offset, offset + length))
              .as(t.getName())
              .isEqualTo(whole.get(i).getRawData().toByteArray());
          referred++;
        }
      }
      assertThat(referred).isGreaterThan(1).isLessThan(others.size());
      for (OnnxSession each : List.of(OnnxSession.mapped(referring), graph.mapped(written))) {
        try (OnnxSession session = each) {
          Comparison c = export.compare(session);
          assertThat(c.passed()).as(c::toString).isTrue();
        }
      }
    }
    assertThat(files()).containsExactly("m.onnx", "r.onnx");
  }

  @Test
  void the_same_block_gives_the_same_bytes() throws Exception {
    GraphExport export = export();
    for (String name : List.of("a", "b")) {
      try (OnnxGraph graph = export.trace()) {
        graph.writeWithExternalData(folder.resolve(name));
        graph.write(folder.resolve(name + ".onnx"));
      }
    }
    assertThat(folder.resolve("a.onnx")).hasSameBinaryContentAs(folder.resolve("b.onnx"));
    assertThat(folder.resolve("a.data")).hasSameBinaryContentAs(folder.resolve("b.data"));
  }

  @Test
  void two_exports_at_once_do_not_disturb_each_other() throws Exception {
    GraphExport export = export();
    byte[] alone = written(export, "alone.onnx");
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try {
      List<Future<byte[]>> both =
          List.of(
              threads.submit(() -> written(export, "a.onnx")),
              threads.submit(() -> written(export, "b.onnx")));
      for (Future<byte[]> one : both) {
        assertThat(one.get()).isEqualTo(alone);
      }
    } finally {
      threads.shutdown();
    }
  }

  private byte[] written(GraphExport export, String name) throws IOException {
    try (OnnxGraph graph = export.trace()) {
      graph.write(folder.resolve(name));
      return Files.readAllBytes(folder.resolve(name));
    }
  }

  @Test
  void the_file_says_what_it_is() throws Exception {
    written(export(), "m.onnx");
    ModelProto model = ModelProto.parseFrom(Files.readAllBytes(folder.resolve("m.onnx")));
    assertThat(model.getIrVersion()).isEqualTo(8);
    assertThat(model.getOpsetImportList())
        .singleElement()
        .satisfies(o -> assertThat(o.getVersion()).isEqualTo(17));
    assertThat(model.getProducerName()).isEqualTo("peft4j");
    assertThat(model.getGraph().getValueInfoList())
        .isNotEmpty()
        .allSatisfy(
            v -> assertThat(v.getType().getTensorType().getShape().getDimCount()).isEqualTo(2));
    assertThat(
            model
                .getGraph()
                .getInput(0)
                .getType()
                .getTensorType()
                .getShape()
                .getDim(0)
                .getDimParam())
        .isEqualTo("batch");
    assertThat(
            model
                .getGraph()
                .getOutput(0)
                .getType()
                .getTensorType()
                .getShape()
                .getDim(1)
                .getDimValue())
        .isEqualTo(10);
    try (OnnxSession session = OnnxSession.load(folder.resolve("m.onnx"), 1)) {
      assertThat(session.metadata()).isEqualTo(Map.of("language", "en", "a", "b"));
    }
  }

  @Test
  void an_older_file_stays_when_writing_fails() throws Exception {
    Path file = folder.resolve("m.onnx");
    Files.writeString(file, "old");
    TestBlock block = new TestBlock((p, in, t) -> new NDList(in.head().matMul(p.parameter("w"))));
    block.with(manager, "w", 512, 600);
    OnnxGraph graph =
        GraphExport.of(block).inputs(Input.floats("x", "n", 512)).outputs("y").trace();
    manager.close(); // the weights are gone
    assertThatThrownBy(() -> graph.write(file)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> graph.writeWithExternalData(file))
        .isInstanceOf(IllegalStateException.class);
    graph.close();
    assertThat(files()).containsExactly("m.onnx");
    assertThat(file).hasContent("old");
  }

  @Test
  void a_folder_that_is_not_there_is_named() {
    try (OnnxGraph graph = export().trace()) {
      assertThatThrownBy(() -> graph.write(folder.resolve("no/m.onnx")))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("no folder");
    }
  }

  @Test
  void a_changed_graph_is_written_with_what_was_changed() throws Exception {
    try (OnnxGraph graph = export().trace()) {
      byte[] zeros = new byte[40];
      List<Initializer> changed =
          graph.initializers().stream()
              .map(
                  i ->
                      i.name().equals("small")
                          ? Initializer.of("small", DataType.FLOAT32, new Shape(10), zeros)
                          : i)
              .toList();
      OnnxGraph other =
          graph.with(graph.nodes(), changed, graph.inputs()).metadata("note", "no bias");
      other.write(folder.resolve("m.onnx"));
    }
    ModelProto model = ModelProto.parseFrom(Files.readAllBytes(folder.resolve("m.onnx")));
    assertThat(model.getGraph().getInitializerList())
        .filteredOn(t -> t.getName().equals("small"))
        .singleElement()
        .satisfies(t -> assertThat(t.getRawData().toByteArray()).isEqualTo(new byte[40]));
    assertThat(model.getMetadataPropsList()).extracting(p -> p.getKey()).contains("note");
    assertThatThrownBy(() -> Initializer.of("x", DataType.FLOAT32, new Shape(3), new byte[11]))
        .hasMessageContaining("12 bytes");
  }

  @Test
  void long_tensors_are_handed_out_in_pieces_that_add_up() {
    NDArray x = manager.arange(5 * 6f).reshape(5, 6).transpose();
    byte[] whole = new byte[4 * 30];
    ByteBuffer buffer = ByteBuffer.wrap(whole);
    int[] pieces = {0};
    Payload.of(x, 16)
        .forEachChunk(
            b -> {
              pieces[0]++;
              assertThat(b.remaining()).isLessThanOrEqualTo(20);
              buffer.put(b);
            });
    assertThat(floats(whole, 0, whole.length)).isEqualTo(x.toFloatArray());
    assertThat(pieces[0]).isGreaterThan(5);
    assertThat(Arrays.stream(pieces).sum()).isLessThanOrEqualTo(30);
  }
}
