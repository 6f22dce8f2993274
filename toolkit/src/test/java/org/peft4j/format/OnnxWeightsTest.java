package org.peft4j.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import com.google.protobuf.ByteString;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.tensor.Torch;

@Tag("fast")
class OnnxWeightsTest {
  @TempDir Path folder;
  private NDManager manager;
  private GraphProto.Builder graph;

  @BeforeEach
  void open() {
    manager = Torch.newManager();
    graph = GraphProto.newBuilder().setName("g");
  }

  @AfterEach
  void close() {
    manager.close();
  }

  static ByteString raw(float... values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return ByteString.copyFrom(bytes);
  }

  static TensorProto.Builder tensor(String name, TensorProto.DataType type, long... shape) {
    TensorProto.Builder tensor =
        TensorProto.newBuilder().setName(name).setDataType(type.getNumber());
    for (long n : shape) {
      tensor.addDims(n);
    }
    return tensor;
  }

  static TensorProto.Builder floats(String name, long[] shape, float... values) {
    return tensor(name, TensorProto.DataType.FLOAT, shape).setRawData(raw(values));
  }

  static NodeProto.Builder node(String name, String operator, String output, String... inputs) {
    return NodeProto.newBuilder()
        .setName(name)
        .setOpType(operator)
        .addAllInput(List.of(inputs))
        .addOutput(output);
  }

  private Path write() throws IOException {
    ModelProto model = ModelProto.newBuilder().setIrVersion(8).setGraph(graph).build();
    return Files.write(folder.resolve("m.onnx"), model.toByteArray());
  }

  private float[] load(TensorSource source, String name) {
    return source.load(name, manager).toFloatArray();
  }

  @Test
  void names_anonymous_weights_after_their_modules_and_transposes_them() throws Exception {
    graph
        .addInitializer(floats("encoder.layer.0.output.dense.bias", new long[] {2}, 7, 8))
        .addInitializer(floats("onnx::MatMul_787", new long[] {3, 2}, 1, 2, 3, 4, 5, 6))
        .addNode(
            node("/encoder/layer.0/output/dense/MatMul", "MatMul", "m", "x", "onnx::MatMul_787"))
        .addNode(
            node(
                "/encoder/layer.0/output/dense/Add",
                "Add",
                "y",
                "encoder.layer.0.output.dense.bias",
                "m"));
    try (TensorSource source = TensorSource.open(write())) {
      assertThat(source.names())
          .containsExactly(
              "encoder.layer.0.output.dense.bias", "encoder.layer.0.output.dense.weight");
      String weight = "encoder.layer.0.output.dense.weight";
      assertThat(source.info(weight))
          .isEqualTo(new TensorSource.Info("FLOAT", new Shape(2, 3), 24));
      NDArray array = source.load(weight, manager);
      assertThat(array.getShape()).isEqualTo(new Shape(2, 3));
      assertThat(array.toFloatArray()).containsExactly(1, 3, 5, 2, 4, 6);
      assertThat(load(source, "encoder.layer.0.output.dense.bias")).containsExactly(7, 8);
    }
  }

  @Test
  void frees_everything_but_the_result_when_it_transposes() throws Exception {
    graph
        .addInitializer(floats("onnx::MatMul_1", new long[] {1, 2}, 1, 2))
        .addNode(node("/l/MatMul", "MatMul", "m", "x", "onnx::MatMul_1"));
    try (TensorSource source = OnnxWeights.open(write())) {
      NDArray array = source.load("l.weight", manager);
      assertThat(manager.getManagedArrays()).hasSize(1);
      array.close();
      assertThat(manager.getManagedArrays()).isEmpty();
    }
  }

  @Test
  void understands_gemm_and_a_second_call_of_one_module() throws Exception {
    AttributeProto transB = AttributeProto.newBuilder().setName("transB").setI(1).build();
    graph
        .addInitializer(floats("onnx::Gemm_1", new long[] {2, 3}, 1, 2, 3, 4, 5, 6))
        .addInitializer(floats("onnx::Gemm_2", new long[] {2}, 7, 8))
        .addInitializer(floats("onnx::MatMul_3", new long[] {1, 2}, 1, 2))
        .addNode(
            node("/head/Gemm", "Gemm", "a", "x", "onnx::Gemm_1", "onnx::Gemm_2")
                .addAttribute(transB))
        .addNode(node("/lm/proj/MatMul", "MatMul", "b", "x", "onnx::MatMul_3"))
        .addNode(node("/lm/proj/MatMul_1", "MatMul", "c", "y", "onnx::MatMul_3"));
    try (TensorSource source = OnnxWeights.open(write())) {
      assertThat(source.names()).containsExactly("head.weight", "head.bias", "lm.proj.weight");
      assertThat(load(source, "head.weight")).containsExactly(1, 2, 3, 4, 5, 6);
      assertThat(load(source, "head.bias")).containsExactly(7, 8);
      assertThat(source.info("lm.proj.weight").shape()).isEqualTo(new Shape(2, 1));
    }
  }

  @Test
  void gives_weights_that_the_exporter_merged_all_their_names() throws Exception {
    graph
        .addInitializer(floats("a.LayerNorm.weight", new long[] {2}, 1, 1))
        .addInitializer(floats("onnx::MatMul_5", new long[] {1, 2}, 3, 4))
        .addNode(node("Identity_0", "Identity", "b.LayerNorm.weight", "a.LayerNorm.weight"))
        .addNode(node("Identity_1", "Identity", "onnx::MatMul_6", "onnx::MatMul_5"))
        .addNode(node("/q/MatMul", "MatMul", "m", "x", "onnx::MatMul_5"))
        .addNode(node("/k/MatMul", "MatMul", "n", "x", "onnx::MatMul_6"));
    try (TensorSource source = OnnxWeights.open(write())) {
      assertThat(source.names())
          .containsExactly("a.LayerNorm.weight", "b.LayerNorm.weight", "q.weight", "k.weight");
      assertThat(load(source, "b.LayerNorm.weight")).containsExactly(1, 1);
      assertThat(load(source, "k.weight")).containsExactly(3, 4);
    }
  }

  @Test
  void keeps_the_files_name_where_no_module_is_known() throws Exception {
    graph
        .addInitializer(floats("onnx::MatMul_1", new long[] {1, 2}, 1, 2))
        .addInitializer(floats("onnx::Add_2", new long[] {1}, 3))
        .addInitializer(floats("taken.weight", new long[] {1}, 4))
        .addInitializer(floats("onnx::MatMul_3", new long[] {1, 1}, 5))
        .addInitializer(
            tensor("embeddings.position_ids", TensorProto.DataType.INT64, 1).addInt64Data(0))
        .addNode(node("MatMul_12", "MatMul", "m", "x", "onnx::MatMul_1"))
        .addNode(node("/taken/MatMul", "MatMul", "n", "x", "onnx::MatMul_3"));
    try (TensorSource source = OnnxWeights.open(write())) {
      assertThat(source.names())
          .containsExactly("taken.weight", "onnx::MatMul_1", "onnx::Add_2", "onnx::MatMul_3");
      assertThat(load(source, "onnx::MatMul_1")).containsExactly(1, 2);
      assertThat(load(source, "taken.weight")).containsExactly(4);
    }
  }

  @Test
  void reads_values_listed_by_number_in_every_type() throws Exception {
    graph
        .addInitializer(
            tensor("f", TensorProto.DataType.FLOAT, 2).addFloatData(1.5f).addFloatData(-2))
        .addInitializer(tensor("d", TensorProto.DataType.DOUBLE, 1).addDoubleData(0.1))
        .addInitializer(tensor("l", TensorProto.DataType.INT64, 1).addInt64Data(-5))
        .addInitializer(tensor("i", TensorProto.DataType.INT32, 1).addInt32Data(-7))
        .addInitializer(tensor("s", TensorProto.DataType.INT16, 1).addInt32Data(-300))
        .addInitializer(tensor("b", TensorProto.DataType.INT8, 1).addInt32Data(-3))
        .addInitializer(tensor("u", TensorProto.DataType.UINT8, 1).addInt32Data(250))
        .addInitializer(tensor("t", TensorProto.DataType.BOOL, 1).addInt32Data(1))
        .addInitializer(tensor("h", TensorProto.DataType.FLOAT16, 1).addInt32Data(0xc000))
        .addInitializer(tensor("g", TensorProto.DataType.BFLOAT16, 1).addInt32Data(0x3fc0))
        .addInitializer(tensor("e", TensorProto.DataType.FLOAT, 0, 3))
        .addInitializer(tensor("z", TensorProto.DataType.FLOAT).addFloatData(9));
    try (TensorSource source = OnnxWeights.open(write())) {
      assertThat(load(source, "f")).containsExactly(1.5f, -2);
      assertThat(source.load("d", manager).toDoubleArray()).containsExactly(0.1);
      assertThat(source.load("l", manager).toLongArray()).containsExactly(-5);
      assertThat(source.load("i", manager).toIntArray()).containsExactly(-7);
      assertThat(source.load("s", manager).toIntArray()).containsExactly(-300);
      assertThat(source.load("b", manager).toByteArray()).containsExactly(-3);
      assertThat(source.load("u", manager).toUint8Array()).containsExactly(250);
      assertThat(source.load("t", manager).toBooleanArray()).containsExactly(true);
      assertThat(load(source, "h")).containsExactly(-2);
      assertThat(load(source, "g")).containsExactly(1.5f);
      assertThat(source.load("e", manager).getShape()).isEqualTo(new Shape(0, 3));
      assertThat(source.load("z", manager).getShape()).isEqualTo(new Shape());
      assertThat(load(source, "z")).containsExactly(9);
    }
  }

  private static TensorProto.Builder external(String name, String location, String offset) {
    TensorProto.Builder tensor =
        tensor(name, TensorProto.DataType.FLOAT, 2)
            .setDataLocation(TensorProto.DataLocation.EXTERNAL);
    entry(tensor, "location", location);
    entry(tensor, "offset", offset);
    entry(tensor, "length", "8");
    return tensor;
  }

  private static void entry(TensorProto.Builder tensor, String key, String value) {
    tensor.addExternalData(StringStringEntryProto.newBuilder().setKey(key).setValue(value));
  }

  @Test
  void reads_weights_in_a_file_beside_it_and_nowhere_else() throws Exception {
    Files.write(folder.resolve("w.bin"), raw(0, 1, 2).toByteArray());
    graph.addInitializer(external("w", "w.bin", "4"));
    try (TensorSource source = OnnxWeights.open(write())) {
      assertThat(load(source, "w")).containsExactly(1, 2);
    }
    graph
        .addInitializer(external("up", "../w.bin", "0"))
        .addInitializer(external("absolute", "/etc/passwd", "0"))
        .addInitializer(external("late", "w.bin", "8"))
        .addInitializer(external("negative", "w.bin", "-1"))
        .addInitializer(
            tensor("longer", TensorProto.DataType.FLOAT, 3)
                .mergeFrom(external("longer", "w.bin", "0").clearDims().build()));
    assertThatThrownBy(() -> OnnxWeights.open(write()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(
            "m.onnx",
            "\"up\": expected a file in the same folder",
            "\"absolute\": expected a file in the same folder",
            "\"late\": FLOAT[2] takes 8 bytes, found 8 at 8",
            "\"negative\": expected an offset or a length",
            "\"longer\": FLOAT[3] takes 12 bytes, found 8")
        .hasMessageNotContaining("\"w\"");
  }

  @Test
  void refuses_weights_whose_sizes_lie() throws Exception {
    graph
        .addInitializer(floats("short", new long[] {3}, 1, 2))
        .addInitializer(floats("negative", new long[] {-2}, 1, 2))
        .addInitializer(floats("huge", new long[] {1L << 40, 1L << 40}))
        .addInitializer(tensor("listed", TensorProto.DataType.FLOAT, 1L << 40).addFloatData(1));
    assertThatThrownBy(() -> OnnxWeights.open(write()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(
            "m.onnx",
            "\"short\": FLOAT[3] takes 12 bytes, found 8",
            "\"negative\": expected sizes of at least 0",
            "\"huge\": expected less than 2^63 bits",
            "\"listed\": FLOAT[1099511627776] takes");
  }

  @Test
  void refuses_to_load_a_wrong_number_of_listed_values_and_types_without_arrays() throws Exception {
    graph
        .addInitializer(
            tensor("few", TensorProto.DataType.FLOAT, 3).addFloatData(1).addFloatData(2))
        .addInitializer(
            tensor("text", TensorProto.DataType.STRING, 1)
                .addStringData(ByteString.copyFromUtf8("x")))
        .addInitializer(tensor("wide", TensorProto.DataType.UINT64, 1).addUint64Data(1));
    try (TensorSource source = OnnxWeights.open(write())) {
      for (String name : List.of("few", "text", "wide")) {
        assertThatThrownBy(() -> source.load(name, manager))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContainingAll("m.onnx", "\"" + name + "\"");
      }
      assertThat(manager.getManagedArrays()).isEmpty();
    }
  }

  @Test
  void refuses_what_is_no_onnx_file() throws Exception {
    for (byte[] bytes :
        new byte[][] {
          {},
          {1, 2, 3},
          {0x3a, 0x7f, 0},
          "text, not protobuf".getBytes(java.nio.charset.StandardCharsets.US_ASCII)
        }) {
      Path file = Files.write(folder.resolve("n.onnx"), bytes);
      assertThatThrownBy(() -> OnnxWeights.open(file))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("n.onnx");
    }
    Path file = folder.resolve("n.onnx");
    try (var big = new java.io.RandomAccessFile(file.toFile(), "rw")) {
      big.setLength(3L << 30); // sparse
    }
    assertThatThrownBy(() -> OnnxWeights.open(file)).hasMessageContainingAll("n.onnx", "too large");
  }

  @Test
  void widens_half_precision_weights_before_it_transposes_them() throws Exception {
    graph
        .addInitializer(
            tensor("onnx::MatMul_1", TensorProto.DataType.FLOAT16, 1, 2)
                .setRawData(ByteString.copyFrom(new byte[] {0, 0x3c, 0, (byte) 0xc0})))
        .addNode(node("/l/MatMul", "MatMul", "m", "x", "onnx::MatMul_1"));
    try (TensorSource source = OnnxWeights.open(write())) {
      NDArray array = source.load("l.weight", manager);
      assertThat(array.getDataType()).isEqualTo(DataType.FLOAT32);
      assertThat(array.getShape()).isEqualTo(new Shape(2, 1));
      assertThat(array.toFloatArray()).containsExactly(1, -2);
    }
  }
}
