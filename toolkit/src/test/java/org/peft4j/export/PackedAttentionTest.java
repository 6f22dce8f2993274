package org.peft4j.export;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.io.IOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.peft4j.Models;
import org.peft4j.model.Pretrained;
import org.peft4j.onnx.GraphExport;
import org.peft4j.onnx.Input;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.tensor.Torch;

/** Attention that splits and turns one product computes what three products and two turns do. */
@Tag("fast")
class PackedAttentionTest {
  private static final int VOCABULARY = 40;

  /** A model with two layers; queries and keys of qwen3 pass norms, those of qwen2 get a bias. */
  private static Pretrained model(String type, int headSize) {
    return Models.untrained(
        Map.ofEntries(
            Map.entry("model_type", type),
            Map.entry("hidden_size", 64),
            Map.entry("intermediate_size", 96),
            Map.entry("num_hidden_layers", 2),
            Map.entry("num_attention_heads", 4),
            Map.entry("num_key_value_heads", 2),
            Map.entry("head_dim", headSize),
            Map.entry("hidden_act", "silu"),
            Map.entry("rms_norm_eps", 1e-6),
            Map.entry("rope_theta", 10_000.0),
            Map.entry("max_position_embeddings", 64),
            Map.entry("tie_word_embeddings", false),
            Map.entry("vocab_size", VOCABULARY)),
        3);
  }

  private static OnnxGraph traced(Pretrained model, CausalPart part) {
    return GraphExport.of(part)
        .inputs(part.inputs().toArray(Input[]::new))
        .outputs(part.outputs().toArray(String[]::new))
        .names(TensorNames.of(model))
        .unread(CacheNames.PAST)
        .contrib()
        .trace();
  }

  private static CausalPart part(Pretrained model) {
    return new CausalPart(model, Objects.requireNonNull(model.anatomy()), VOCABULARY, Profile.ORT);
  }

  /** In float32, so that both round alike. */
  private static OnnxGraph inBlocks(OnnxGraph graph) {
    return WeightOnly.int4()
        .blockSize(16)
        .minimum(1)
        .withZeroPoints()
        .accuracyLevel(1)
        .apply(graph);
  }

  @ParameterizedTest
  @CsvSource({"llama, 1, 5, 0", "llama, 3, 7, 0", "mistral, 3, 1, 9", "llama, 1, 3, 8"})
  void it_computes_the_same(String type, long rows, long length, long past) throws IOException {
    try (Pretrained model = model(type, 16);
        NDManager manager = Torch.newManager()) {
      CausalPart part = part(model);
      try (OnnxGraph graph = traced(model, part)) {
        OnnxGraph plain = inBlocks(graph);
        OnnxGraph packed = PackedAttention.of(plain);
        assertThat(plain.histogram()).containsEntry("RotaryEmbedding", 4);
        assertThat(packed.histogram()).doesNotContainKey("RotaryEmbedding");
        int products = Objects.requireNonNull(plain.histogram().get("MatMulNBits"));
        assertThat(packed.histogram()).containsEntry("MatMulNBits", products - 4);
        Map<String, NDArray> inputs = inputs(part, manager, rows, length, past);
        Map<String, NDArray> expected = ProductGraph.run(plain, manager, inputs);
        Map<String, NDArray> found = ProductGraph.run(packed, manager, inputs);
        assertThat(found.keySet()).isEqualTo(expected.keySet());
        expected.forEach(
            (name, y) ->
                assertThat(ProductGraph.off(Objects.requireNonNull(found.get(name)), y))
                    .as(name)
                    .isLessThan(1e-5f));
      }
    }
  }

  private static Map<String, NDArray> inputs(
      CausalPart part, NDManager manager, long rows, long length, long past) {
    Map<String, Long> sizes = new HashMap<>();
    sizes.put(CacheNames.BATCH, rows);
    sizes.put(CacheNames.LENGTH, length);
    sizes.put(CacheNames.PAST, past);
    Map<String, NDArray> values = new LinkedHashMap<>();
    for (Input input : part.inputs()) {
      values.put(input.name(), input.values(manager, sizes));
    }
    return values;
  }

  @ParameterizedTest
  @CsvSource({"qwen3, 16", "qwen2, 16", "llama, 8"})
  void what_the_operator_does_not_compute_stays(String type, int headSize) {
    try (Pretrained model = model(type, headSize)) {
      try (OnnxGraph graph = traced(model, part(model))) {
        OnnxGraph plain = inBlocks(graph);
        assertThat(PackedAttention.of(plain).histogram()).isEqualTo(plain.histogram());
      }
    }
  }

  @Test
  void only_weights_in_blocks_are_packed() {
    try (Pretrained model = model("llama", 16);
        OnnxGraph graph = traced(model, part(model))) {
      assertThat(PackedAttention.of(graph).histogram()).isEqualTo(graph.histogram());
    }
  }
}
