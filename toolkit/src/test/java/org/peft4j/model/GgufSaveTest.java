package org.peft4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.format.Gguf;
import org.peft4j.format.GgufFile;
import org.peft4j.format.GgufFixtures;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.tensor.Torch;

/** Models from GGUF to a directory and back, with nothing lost but the rounding that was asked. */
@Tag("fast")
class GgufSaveTest {
  private static final Path LOGITS = GgufFixtures.path("llama-logits.safetensors");

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"llama", "llama-k", "gpt2"})
  void through_a_directory_and_back_to_gguf(String name) throws Exception {
    Path logits = GgufFixtures.path(name + "-logits.safetensors");
    Path dir = folder.resolve("dir");
    Path file = folder.resolve("again.gguf");
    try (Pretrained model = Loader.path(GgufFixtures.path(name + ".gguf"))) {
      model.save(dir);
    }
    try (Pretrained model = Loader.path(dir)) {
      assertThat(GgufModelsTest.difference(model, logits)).isLessThan(1e-5f);
      model.save(file);
    }
    try (Pretrained model = Loader.path(file)) {
      assertThat(GgufModelsTest.difference(model, logits)).isLessThan(1e-5f);
    }
    try (NDManager manager = Torch.newManager();
        GgufFile first = Gguf.open(GgufFixtures.path(name + ".gguf"));
        GgufFile again = Gguf.open(file)) {
      assertThat(again.names()).hasSameElementsAs(first.names());
      for (String tensor : first.names()) {
        assertThat(again.load(tensor, manager).toFloatArray())
            .as(tensor)
            .isEqualTo(first.load(tensor, manager).toFloatArray());
      }
      first
          .metadata()
          .values()
          .forEach(
              (key, value) ->
                  assertThat(again.metadata().values().get(key))
                      .as(key)
                      .usingRecursiveComparison()
                      .isEqualTo(value));
    }
  }

  @ParameterizedTest
  @CsvSource({"F16, 0.02", "BF16, 0.2", "Q8_0, 0.5", "Q4_0, 4"})
  void packed_files_stay_near(Dtype dtype, float bound) throws Exception {
    Path file = folder.resolve("p.gguf");
    try (Pretrained model = Loader.path(GgufFixtures.path("llama.gguf"))) {
      model.save(file, dtype);
    }
    try (Pretrained model = Loader.path(file);
        GgufFile open = Gguf.open(file)) {
      assertThat(GgufModelsTest.difference(model, LOGITS)).isBetween(1e-6f, bound);
      assertThat(model.tokenizer().encode("Hello").ids()).hasSizeGreaterThan(1);
      assertThat(open.info("blk.0.attn_q.weight").dtype()).isEqualTo(dtype.name());
      assertThat(open.info("blk.0.attn_norm.weight").dtype()).isEqualTo("F32");
      assertThat(open.info("token_embd.weight").dtype())
          .isEqualTo(dtype == Dtype.Q4_0 ? "Q8_0" : dtype.name());
      assertThat(open.metadata().integer("general.file_type")).isEqualTo(dtype.fileType());
    }
  }

  @ParameterizedTest
  @CsvSource({"F16, 0.02, float16", "BF16, 0.2, bfloat16"})
  void directories_in_short_floats_and_shards(Dtype dtype, float bound, String torch)
      throws Exception {
    try (Pretrained model = Loader.path(GgufFixtures.path("llama.gguf"))) {
      model.save(folder, dtype, 50_000);
    }
    assertThat(Files.exists(folder.resolve("model.safetensors"))).isFalse();
    Map<String, ?> index = Json.read(folder.resolve("model.safetensors.index.json"));
    assertThat(String.valueOf(index)).contains("model-00001-of-0000").contains("total_size");
    assertThat(Json.read(folder.resolve("config.json"))).containsEntry("dtype", torch);
    try (TensorSource source = Safetensors.open(folder)) {
      assertThat(source.names())
          .allSatisfy(name -> assertThat(source.info(name).dtype()).isEqualTo(dtype.name()));
    }
    try (Pretrained model = Loader.path(folder)) {
      assertThat(GgufModelsTest.difference(model, LOGITS)).isBetween(1e-6f, bound);
    }
  }

  @Test
  void a_directory_keeps_the_tokenizer_and_the_chat_format() throws Exception {
    try (Pretrained model = Loader.path(GgufFixtures.path("llama.gguf"))) {
      model.save(folder);
      try (Pretrained again = Loader.path(folder)) {
        assertThat(again.tokenizer().chatSource()).isEqualTo(model.tokenizer().chatSource());
        again.save(folder.resolve("copy"));
        assertThat(
                Files.mismatch(
                    folder.resolve("tokenizer_config.json"),
                    folder.resolve("copy/tokenizer_config.json")))
            .isEqualTo(-1);
      }
    }
    Map<String, ?> config = Json.read(folder.resolve("tokenizer_config.json"));
    assertThat(config.get("tokenizer_class")).isEqualTo("PreTrainedTokenizerFast");
    assertThat(config.get("eos_token")).isEqualTo("<|im_end|>");
    assertThat(config.get("pad_token")).isEqualTo("<|im_end|>");
  }

  @Test
  void what_does_not_fit_is_named() {
    try (Pretrained model = Loader.path(GgufFixtures.path("llama.gguf"))) {
      assertThatThrownBy(() -> model.save(folder, Dtype.Q8_0))
          .hasMessageContainingAll("[f32, f16, bf16]", "found: q8_0");
      try (Pretrained classifier = model.classify(List.of("a", "b"), Pooling.MEAN, 1)) {
        assertThatThrownBy(() -> classifier.save(folder.resolve("c.gguf"), Dtype.F32))
            .hasMessageContainingAll("causal language model", "SEQUENCE_CLASSIFICATION");
      }
    }
  }
}
