package org.peft4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.Models;
import org.peft4j.format.Json;
import org.peft4j.tensor.Torch;

/** What the configurations of decoders may say in older words, leave out, or ask in vain. */
@Tag("fast")
class DecoderConfigsTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden/families");

  @TempDir Path dir;

  /** A golden model whose config.json is changed. */
  private Path changed(String name, Consumer<Map<String, @Nullable Object>> change)
      throws IOException {
    Path to = Files.createTempDirectory(dir, name);
    Map<String, @Nullable Object> config =
        new LinkedHashMap<>(Json.read(GOLDEN.resolve(name).resolve("config.json")));
    change.accept(config);
    Files.writeString(to.resolve("config.json"), Json.format(config));
    Files.copy(GOLDEN.resolve(name).resolve("model.safetensors"), to.resolve("model.safetensors"));
    return to;
  }

  private static float[] logits(Path folder, int tokens) {
    try (Pretrained model = Models.load(folder)) {
      return logits(model, tokens);
    }
  }

  private static float[] logits(Pretrained model, int tokens) {
    long[] ids = new long[tokens];
    Arrays.setAll(ids, i -> 3 + 7 * i % 90);
    try (NDManager manager = Torch.newManager()) {
      NDArray in = manager.create(new long[][] {ids});
      return Torch.inference(
          () ->
              model
                  .forward(new ParameterStore(manager, false), new NDList(in), false)
                  .singletonOrThrow()
                  .toFloatArray());
    }
  }

  private void means_the_same(String name, Consumer<Map<String, @Nullable Object>> change)
      throws IOException {
    assertThat(logits(changed(name, change), 12))
        .as(name)
        .isEqualTo(logits(GOLDEN.resolve(name), 12));
  }

  @Test
  void older_words_and_defaults_mean_the_same() throws IOException {
    means_the_same(
        "smollm3",
        c -> {
          c.keySet().removeAll(List.of("no_rope_layers", "layer_types", "rope_parameters"));
          c.remove("tie_word_embeddings");
        });
    means_the_same("smollm3_window", c -> c.remove("layer_types"));
    means_the_same(
        "phi3_long",
        c -> {
          Map<String, @Nullable Object> scaling = new LinkedHashMap<>(parameters(c));
          scaling.keySet().removeAll(List.of("rope_type", "original_max_position_embeddings"));
          scaling.put("type", "su");
          c.remove("rope_parameters");
          c.put("rope_scaling", scaling);
        });
    means_the_same("phi3_partial", c -> c.remove("rope_parameters"));
    means_the_same(
        "gemma2",
        c -> {
          c.keySet().removeAll(List.of("layer_types", "rope_parameters", "tie_word_embeddings"));
          c.put("rope_theta", 10000.0);
        });
    means_the_same("gemma3", c -> c.keySet().removeAll(List.of("layer_types", "rope_parameters")));
    means_the_same(
        "gemma3_linear",
        c -> {
          c.remove("rope_parameters");
          c.put("rope_theta", 1e6);
          c.put("rope_local_base_freq", 1e4);
          c.put("rope_scaling", Map.of("rope_type", "linear", "factor", 8.0));
        });
    means_the_same(
        "gpt_neox",
        c -> {
          c.keySet().removeAll(List.of("rope_parameters", "attention_bias"));
          c.put("rotary_pct", 0.25);
          c.put("rotary_emb_base", 10000L);
        });
    means_the_same(
        "opt", c -> c.keySet().removeAll(List.of("tie_word_embeddings", "word_embed_proj_dim")));
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> parameters(Map<String, @Nullable Object> config) {
    return (Map<String, Object>) config.get("rope_parameters");
  }

  /** Gemma 2's bounds hold where nothing is said, and not where null is. */
  @Test
  void soft_caps_are_left_out_by_null_only() throws IOException {
    float[] capped = logits(GOLDEN.resolve("gemma2"), 12);
    float[] usual =
        logits(
            changed(
                "gemma2",
                c ->
                    c.keySet()
                        .removeAll(List.of("attn_logit_softcapping", "final_logit_softcapping"))),
            12);
    float[] free =
        logits(
            changed(
                "gemma2",
                c -> {
                  c.put("attn_logit_softcapping", null);
                  c.put("final_logit_softcapping", null);
                }),
            12);
    assertThat(largest(capped)).isLessThanOrEqualTo(8);
    assertThat(largest(usual)).isBetween(8f, 30f);
    assertThat(free).isNotEqualTo(usual);
  }

  private static float largest(float[] values) {
    float largest = 0;
    for (float v : values) {
      largest = Math.max(largest, Math.abs(v));
    }
    return largest;
  }

  @Test
  void texts_beyond_the_factors_and_the_table_are_refused() throws IOException {
    try (Pretrained model = Models.load(GOLDEN.resolve("phi3_long"))) {
      assertThat(model.context()).isEqualTo(64);
      assertThat(logits(model, 128)).hasSize(128 * 96);
      assertThatThrownBy(() -> logits(model, 129)).hasMessageContaining("at most 128 tokens");
    }
    Path folder = changed("phi3_long", c -> parameters(c).remove("long_factor"));
    try (Pretrained model = Models.load(folder)) {
      assertThat(logits(model, 64)).hasSize(64 * 96);
      assertThatThrownBy(() -> logits(model, 65)).hasMessageContaining("at most 64 tokens");
    }
    try (Pretrained model = Models.load(GOLDEN.resolve("opt"))) {
      assertThat(logits(model, 64)).hasSize(64 * 96);
      assertThatThrownBy(() -> logits(model, 65)).hasMessageContaining("at most 64 tokens");
    }
  }

  private void refused(String name, Consumer<Map<String, @Nullable Object>> change, String... words)
      throws IOException {
    Path folder = changed(name, change);
    assertThatThrownBy(() -> Models.load(folder))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(words);
  }

  @Test
  void what_is_not_supported_is_refused_by_name() throws IOException {
    refused("smollm3", c -> c.put("no_rope_layers", List.of(1L)), "no_rope_layers", "2 layers");
    refused("smollm3", c -> c.put("no_rope_layers", List.of(2L, 1L)), "0 or 1", "[2, 1]");
    refused("gemma3", c -> c.put("use_bidirectional_attention", true), "use_bidirectional");
    refused("opt", c -> c.put("layer_norm_elementwise_affine", false), "elementwise_affine");
    refused(
        "phi3_partial",
        c -> {
          c.remove("rope_parameters");
          c.put("partial_rotary_factor", 0.2);
        },
        "partial_rotary_factor",
        "16 features",
        "0.2");
    refused(
        "phi3_long",
        c -> parameters(c).put("short_factor", List.of(1.0, 2.0)),
        "short_factor",
        "expected: 4 numbers",
        "found: 2");
  }

  /** Files of GPT-NeoX call the head embed_out; some of OPT leave out the first name. */
  @Test
  void published_names_of_tensors_are_found() throws IOException {
    for (String name : List.of("gpt_neox", "opt")) {
      Path saved = Files.createTempDirectory(dir, name);
      try (Pretrained model = Models.load(GOLDEN.resolve(name))) {
        float[] expected = logits(model, 12);
        model.save(saved);
        assertThat(logits(saved, 12)).isEqualTo(expected);
      }
    }
    assertThat(tensors("gpt_neox")).contains("embed_out.weight").doesNotContain("lm_head.weight");
  }

  private List<String> tensors(String name) throws IOException {
    Path saved = Files.createTempDirectory(dir, name);
    try (Pretrained model = Models.load(GOLDEN.resolve(name))) {
      model.save(saved);
    }
    try (var source = org.peft4j.format.TensorSource.open(saved)) {
      return List.copyOf(source.names());
    }
  }
}
