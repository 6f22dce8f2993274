package org.peft4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.format.Gguf;
import org.peft4j.format.GgufFile;
import org.peft4j.format.GgufFixtures;
import org.peft4j.format.GgufValue;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.tensor.Torch;

/** Small random models in GGUF against transformers on the weights that they stand for. */
@Tag("fast")
class GgufModelsTest {
  @ParameterizedTest
  @ValueSource(strings = {"llama", "llama-k", "qwen2", "qwen3", "gpt2"})
  void logits_equal_those_of_transformers(String name) throws Exception {
    try (Pretrained model = Loader.path(GgufFixtures.path(name + ".gguf"))) {
      assertThat(model.name()).isEqualTo(name);
      assertThat(model.task()).isEqualTo(Task.CAUSAL_LM);
      assertThat(difference(model, GgufFixtures.path(name + "-logits.safetensors")))
          .isLessThan(1e-5f);
    }
  }

  /**
   * Largest difference between logits and those stored with the ids, of logits of size up to 1; of
   * larger ones relative to the largest, as processors round their last bit differently.
   */
  static float difference(Pretrained model, Path reference) throws Exception {
    try (NDManager manager = Torch.newManager();
        TensorSource source = Safetensors.open(reference)) {
      NDList ids = new NDList(source.load("input_ids", manager));
      NDArray found =
          Torch.inference(() -> model.forward(new ParameterStore(manager, false), ids, false))
              .head();
      NDArray expected = source.load("logits", manager);
      return found.sub(expected).abs().max().getFloat()
          / Math.max(1, expected.abs().max().getFloat());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"qwen2", "qwen3", "gpt2"})
  void tensors_equal_those_of_transformers(String name) throws Exception {
    try (NDManager manager = Torch.newManager();
        GgufFile file = Gguf.open(GgufFixtures.path(name + ".gguf"));
        TensorSource expected =
            Safetensors.open(GgufFixtures.path(name + "-weights.safetensors"))) {
      GgufTensors found = new GgufTensors(file, GgufLayout.named(name, name), 4, 2);
      assertThat(found.names()).hasSameElementsAs(expected.names());
      for (String tensor : found.names()) {
        assertThat(found.info(tensor).shape()).isEqualTo(expected.info(tensor).shape());
        NDArray value = found.load(tensor, manager);
        assertThat(value.getShape()).isEqualTo(expected.info(tensor).shape());
        assertThat(value.toFloatArray())
            .as(tensor)
            .isEqualTo(expected.load(tensor, manager).toFloatArray());
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "llama-k", "qwen2", "qwen3", "gpt2"})
  void the_configuration_is_that_of_transformers(String name) throws Exception {
    Map<String, ?> expected = Json.read(GgufFixtures.path(name + "-config.json"));
    try (GgufFile file = Gguf.open(GgufFixtures.path(name + ".gguf"))) {
      String architecture = file.metadata().requireText("general.architecture");
      Config found = GgufConfig.read(file, GgufLayout.named(architecture, name), null);
      found
          .values()
          .forEach(
              (key, value) -> {
                switch (key) {
                  case "architectures" ->
                      assertThat(found.texts(key).get(0)).matches("\\w+(ForCausalLM|LMHeadModel)");
                  case "rope_theta" -> {
                    Config rope =
                        new Config(name, Map.copyOf(objects(expected))).object("rope_parameters");
                    assertThat(rope).isNotNull();
                    assertThat(rope.number(key, 0)).isEqualTo(value);
                  }
                  case "bos_token_id", "eos_token_id", "pad_token_id" -> {}
                  default -> assertThat(expected.get(key)).as(key).isEqualTo(value);
                }
              });
      if (name.equals("llama")) {
        assertThat(found.values())
            .containsEntry("bos_token_id", 0L)
            .containsEntry("eos_token_id", 2L)
            .containsEntry("pad_token_id", 2L);
      }
    }
  }

  private static Map<String, Object> objects(Map<String, ?> map) {
    Map<String, Object> out = new java.util.HashMap<>();
    map.forEach(
        (k, v) -> {
          if (v != null) {
            out.put(k, v);
          }
        });
    return out;
  }

  @Test
  void an_architecture_that_is_not_known_is_named() {
    assertThatThrownBy(() -> Loader.path(GgufFixtures.path("types.gguf")))
        .hasMessageContainingAll(
            "types.gguf", "general.architecture", "[llama, qwen2, qwen3, gpt2]", "found: none");
  }

  @Test
  void a_folder_with_one_file_is_that_file(@TempDir Path folder) throws Exception {
    Files.copy(GgufFixtures.path("llama-k.gguf"), folder.resolve("a.gguf"));
    try (Pretrained model = Loader.path(folder)) {
      assertThat(model.name()).isEqualTo("a");
      assertThat(model.hasTokenizer()).isFalse();
    }
    Files.copy(GgufFixtures.path("llama-k.gguf"), folder.resolve("b.gguf"));
    assertThatThrownBy(() -> Loader.path(folder))
        .hasMessageContainingAll("not a model", "or a GGUF file", "a folder without config.json");
  }

  @Test
  void a_file_without_a_key_or_with_strange_tensors_is_refused(@TempDir Path folder)
      throws Exception {
    try (NDManager manager = Torch.newManager();
        GgufFile sound = Gguf.open(GgufFixtures.path("llama-k.gguf"))) {
      Map<String, GgufValue> keys = new LinkedHashMap<>(sound.metadata().values());
      List<Gguf.Entry> tensors = new ArrayList<>();
      for (String name : sound.names()) {
        NDArray array = sound.load(name, manager);
        tensors.add(new Gguf.Entry(name, "F32", array.getShape(), () -> array));
      }
      Path file = folder.resolve("f.gguf");
      for (String key :
          List.of("block_count", "embedding_length", "attention.layer_norm_rms_epsilon")) {
        Map<String, GgufValue> fewer = new LinkedHashMap<>(keys);
        fewer.remove("llama." + key);
        Gguf.write(file, fewer, tensors);
        assertThatThrownBy(() -> Loader.path(file))
            .hasMessageContainingAll("f.gguf", "\"llama." + key + "\"", "no such key");
      }
      Gguf.write(file, keys, tensors.subList(1, tensors.size()));
      assertThatThrownBy(() -> Loader.path(file)).hasMessageContaining(tensors.get(0).name());
      Map<String, GgufValue> larger = new LinkedHashMap<>(keys);
      larger.put("llama.feed_forward_length", GgufValue.uint32(512));
      Gguf.write(file, larger, tensors);
      assertThatThrownBy(() -> Loader.path(file))
          .hasMessageContainingAll("mlp.up_proj.weight", "expected (512, 256)", "found (256, 256)");
      larger = new LinkedHashMap<>(keys);
      larger.put("llama.expert_count", GgufValue.uint32(8));
      Gguf.write(file, larger, tensors);
      assertThatThrownBy(() -> Loader.path(file)).hasMessageContaining("mixtures of experts");
      larger = new LinkedHashMap<>(keys);
      larger.put("split.count", GgufValue.uint32(2));
      Gguf.write(file, larger, tensors);
      assertThatThrownBy(() -> Loader.path(file)).hasMessageContaining("llama-gguf-split --merge");
      Gguf.Entry first = tensors.get(0);
      tensors.add(new Gguf.Entry("blk.0.odd.weight", "F32", first.shape(), first.values()));
      Gguf.write(file, keys, tensors);
      assertThatThrownBy(() -> Loader.path(file))
          .hasMessageContainingAll("not known to have", "blk.0.odd.weight");
    }
  }

  @Test
  void rope_scaling_reaches_the_configuration(@TempDir Path folder) throws Exception {
    try (GgufFile sound = Gguf.open(GgufFixtures.path("llama-k.gguf"))) {
      Map<String, GgufValue> keys = new LinkedHashMap<>(sound.metadata().values());
      keys.put("llama.rope.scaling.type", GgufValue.text("yarn"));
      keys.put("llama.rope.scaling.factor", GgufValue.float32(4));
      keys.put("llama.rope.scaling.original_context_length", GgufValue.uint32(32));
      Path file = folder.resolve("f.gguf");
      try (NDManager manager = Torch.newManager()) {
        NDArray embeddings = manager.zeros(new Shape(64, 256));
        Gguf.write(
            file,
            keys,
            List.of(
                new Gguf.Entry("token_embd.weight", "F32", new Shape(64, 256), () -> embeddings),
                new Gguf.Entry(
                    "blk.0.attn_norm.weight", "F32", new Shape(64, 256), () -> embeddings)));
      }
      try (GgufFile open = Gguf.open(file)) {
        Config config = GgufConfig.read(open, GgufLayout.LLAMA, null);
        assertThat(config.values().get("rope_scaling"))
            .isEqualTo(
                Map.of(
                    "rope_type", "yarn", "factor", 4.0, "original_max_position_embeddings", 32L));
        assertThat(config.flag("tie_word_embeddings", false)).isTrue();
        Config written = config.with("vocab_size", 64L);
        assertThat(GgufKeys.of("n", written, GgufLayout.LLAMA, Dtype.F32))
            .containsEntry("llama.rope.scaling.type", GgufValue.text("yarn"))
            .containsEntry("llama.rope.scaling.factor", GgufValue.float32(4))
            .containsEntry("llama.rope.scaling.original_context_length", GgufValue.uint32(32));
      }
    }
  }

  @Test
  void the_chat_format_is_at_hand() {
    try (Pretrained model = Loader.path(GgufFixtures.path("llama.gguf"))) {
      assertThat(model.tokenizer().chatSource().template()).startsWith("{% for m in messages %}");
      assertThat(model.tokenizer().chatSource().bosToken()).isEqualTo("<|endoftext|>");
      assertThat(model.tokenizer().chatSource().eosToken()).isEqualTo("<|im_end|>");
    }
  }

  @Test
  void the_factors_of_llama_3_are_known_again() {
    Config config =
        new Config(
            "c",
            Map.of(
                "factor", 8.0,
                "low_freq_factor", 1.0,
                "high_freq_factor", 4.0,
                "original_max_position_embeddings", 8192L));
    float[] factors = RopeFactors.of(config, 500000, 128);
    assertThat(factors[0]).isEqualTo(1);
    assertThat(factors[63]).isEqualTo(8);
    assertThat(RopeFactors.scaling(factors, 500000))
        .containsEntry("rope_type", "llama3")
        .containsEntry("factor", 8.0);
    factors[40] += 0.5f;
    assertThat(RopeFactors.scaling(factors, 500000)).isNull();
  }
}
