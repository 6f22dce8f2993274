package org.peft4j.format;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.tensor.Torch;

/** all-MiniLM-L6-v2 as Maven Central has it: the names and values of a BertModel without pooler. */
@Tag("model")
class MiniLmWeightsTest {
  private static List<String> stateDictNames() {
    List<String> names = new ArrayList<>();
    for (String table : List.of("word", "position", "token_type")) {
      names.add("embeddings." + table + "_embeddings.weight");
    }
    names.add("embeddings.LayerNorm.weight");
    names.add("embeddings.LayerNorm.bias");
    for (int i = 0; i < 6; i++) {
      for (String module :
          List.of(
              "attention.self.query",
              "attention.self.key",
              "attention.self.value",
              "attention.output.dense",
              "attention.output.LayerNorm",
              "intermediate.dense",
              "output.dense",
              "output.LayerNorm")) {
        names.add("encoder.layer." + i + "." + module + ".weight");
        names.add("encoder.layer." + i + "." + module + ".bias");
      }
    }
    return names;
  }

  @Test
  void has_the_state_dict_of_hugging_faces_bert() throws Exception {
    Path file = MavenArtifact.MINILM.extract("all-minilm-l6-v2.onnx");
    ModelProto model = ModelProto.parseFrom(Files.readAllBytes(file));
    Map<String, TensorProto> raw = new HashMap<>();
    model.getGraph().getInitializerList().forEach(t -> raw.put(t.getName(), t));
    Map<String, String> rightHandSides = new HashMap<>();
    for (NodeProto node : model.getGraph().getNodeList()) {
      if (node.getOpType().equals("MatMul")) {
        rightHandSides.put(node.getName(), node.getInput(1));
      }
    }
    try (TensorSource source = OnnxWeights.open(file);
        NDManager manager = Torch.newManager()) {
      assertThat(source.names()).containsExactlyInAnyOrderElementsOf(stateDictNames());
      assertThat(source.info("encoder.layer.3.intermediate.dense.weight").shape())
          .isEqualTo(new Shape(1536, 384));
      for (String name : source.names()) {
        TensorProto expected = raw.get(name);
        boolean transposed = expected == null;
        if (expected == null) {
          String module = "/" + name.substring(0, name.lastIndexOf('.')).replace('.', '/');
          String node = module.replace("layer/", "layer.") + "/MatMul";
          expected = raw.get(rightHandSides.get(node));
        }
        assertSame(source.load(name, manager), expected, transposed);
      }
    }
  }

  private static void assertSame(NDArray found, TensorProto expected, boolean transposed) {
    var values =
        expected.getRawData().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
    float[] array = found.toFloatArray();
    assertThat(array.length).isEqualTo(values.remaining());
    int columns = transposed ? (int) expected.getDims(1) : 1;
    int rows = array.length / columns;
    for (int i = 0; i < array.length; i++) {
      float value = transposed ? array[i % columns * rows + i / columns] : array[i];
      if (Float.floatToRawIntBits(value) != Float.floatToRawIntBits(values.get(i))) {
        throw new AssertionError(expected.getName() + "[" + i + "]: " + value);
      }
    }
  }
}
