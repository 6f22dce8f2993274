package org.peft4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** Poolings and resized token embeddings, held to transformers. */
@Tag("fast")
class ResizedTest {
  private static final Path ROOT = Path.of("src/test/resources/golden/resized");

  @TempDir Path dir;

  private static float[] expected(Path folder, String name) throws Exception {
    try (NDManager manager = Torch.newManager();
        TensorSource io = Safetensors.open(folder.resolve("io.safetensors"))) {
      return io.load(name, manager).toFloatArray();
    }
  }

  private static float difference(float[] a, float[] b) {
    assertThat(a).hasSameSizeAs(b);
    float most = 0;
    for (int i = 0; i < a.length; i++) {
      most = Math.max(most, Math.abs(a[i] - b[i]));
    }
    return most;
  }

  private static float[] flat(float[][] rows) {
    float[] out = new float[rows.length * rows[0].length];
    for (int i = 0; i < rows.length; i++) {
      System.arraycopy(rows[i], 0, out, i * rows[0].length, rows[0].length);
    }
    return out;
  }

  private static List<String> texts(Path folder) throws Exception {
    return ((List<?>) Json.read(folder.resolve("texts.json")).get("texts"))
        .stream().map(String::valueOf).toList();
  }

  @ParameterizedTest
  @ValueSource(strings = {"cls", "mean"})
  void a_directory_of_sentence_transformers_pools_as_it_says(String mode) throws Exception {
    Path folder = ROOT.resolve(mode);
    try (Pretrained model = Loader.directory(folder)) {
      assertThat(model.pooling()).hasToString(mode);
      float[] embedded = flat(model.embed(texts(folder)));
      assertThat(difference(embedded, expected(folder, "expected"))).isLessThan(1e-5f);
      model.save(dir.resolve("copy"));
    }
    try (Pretrained copy = Loader.directory(dir.resolve("copy"))) {
      // the length limit is sentence-transformers' own; the pooling stays
      float[] embedded = flat(copy.embed(texts(folder).subList(0, 1)));
      float[] first = Arrays.copyOf(expected(folder, "expected"), embedded.length);
      assertThat(difference(embedded, first)).isLessThan(1e-5f);
    }
  }

  @Test
  void a_pooling_can_be_chosen() throws Exception {
    Path folder = ROOT.resolve("mean");
    try (Pretrained mean = Loader.directory(folder);
        Pretrained cls = mean.pooled(Pooling.CLS)) {
      assertThat(
              difference(flat(cls.embed(texts(folder))), expected(ROOT.resolve("cls"), "expected")))
          .isLessThan(1e-5f);
      assertThat(cls.pooled(Pooling.MEAN).embed(List.of("a small model")))
          .isDeepEqualTo(mean.embed(List.of("a small model")));
    }
  }

  @Test
  void a_pooling_that_is_not_known_is_not_guessed() throws Exception {
    Path copy = Files.createDirectories(dir.resolve("max/1_Pooling")).getParent();
    for (String file :
        List.of("config.json", "model.safetensors", "tokenizer.json", "modules.json")) {
      Files.copy(ROOT.resolve("cls").resolve(file), copy.resolve(file));
    }
    Files.writeString(copy.resolve("1_Pooling/config.json"), "{\"pooling_mode_max_tokens\": true}");
    try (Pretrained model = Loader.directory(copy)) {
      assertThat(model.pooling()).isNull();
      assertThatThrownBy(() -> model.embed(List.of("a")))
          .hasMessageContaining("pooled(Pooling.CLS)");
      assertThat(model.pooled(Pooling.CLS).embed(List.of("a"))).hasDimensions(1, 32);
    }
  }

  @ParameterizedTest
  @CsvSource({"tied, 45", "tied, 30", "untied, 45", "untied, 30"})
  void resized_embeddings_are_those_of_transformers(String name, int tokens) throws Exception {
    Path folder = ROOT.resolve(name);
    try (Pretrained model = Loader.directory(folder);
        Pretrained other = model.resizeEmbeddings(tokens)) {
      float[] before = logits(model, folder, 40);
      same(other, folder, tokens);
      other.save(dir.resolve("saved"));
      try (Pretrained saved = Loader.directory(dir.resolve("saved"))) {
        assertThat(saved.config().size("vocab_size")).isEqualTo(tokens);
        assertThat(logits(saved, folder, tokens)).isEqualTo(logits(other, folder, tokens));
        same(saved, folder, tokens);
      }
      assertThat(logits(model, folder, 40)).isEqualTo(before);
      assertThat(model.parameters()).isNotEqualTo(other.parameters());
      long rows = name.equals("tied") ? 1 : 2;
      assertThat(other.parameters() - model.parameters()).isEqualTo(rows * 32L * (tokens - 40));
    }
  }

  private static void same(Pretrained model, Path folder, int tokens) throws Exception {
    assertThat(difference(logits(model, folder, tokens), expected(folder, tokens + ".logits")))
        .as("transformers adds noise of 3e-5 deviations to new rows")
        .isLessThan(1e-3f);
    float[] rows = model.tensors().get("model.embed_tokens.weight").toFloatArray();
    float[] theirs = expected(folder, tokens + ".embeddings");
    int kept = Math.min(40, tokens) * 32;
    assertThat(Arrays.copyOf(rows, kept)).isEqualTo(Arrays.copyOf(theirs, kept));
    assertThat(difference(rows, theirs)).isLessThan(1e-4f);
  }

  private static float[] logits(Pretrained model, Path folder, int tokens) throws Exception {
    try (TensorSource io = Safetensors.open(folder.resolve("io.safetensors"))) {
      return Torch.inference(
          () -> {
            try (Scope scope = Scope.open();
                NDManager manager = Torch.newManager()) {
              NDArray ids = io.load("input_ids", manager).clip(0, tokens - 1);
              return model
                  .forward(new ParameterStore(manager, false), new NDList(ids), false)
                  .get(0)
                  .toFloatArray();
            }
          });
    }
  }

  @Test
  void tokens_of_the_tokenizer_keep_their_embeddings() throws Exception {
    try (Pretrained model = Loader.directory(ROOT.resolve("cls"))) {
      assertThatThrownBy(() -> model.resizeEmbeddings(10))
          .hasMessageContaining("those of the tokenizer")
          .hasMessageContaining("found: 10");
      try (Pretrained other = model.resizeEmbeddings(100)) {
        assertThat(other.embed(List.of("a small model")))
            .isDeepEqualTo(model.embed(List.of("a small model")));
        assertThat(other.resizeEmbeddings(40).embed(List.of("a small model")))
            .isDeepEqualTo(model.embed(List.of("a small model")));
      }
    }
    try (Pretrained model = Loader.directory(ROOT.resolve("untied"))) {
      assertThatThrownBy(() -> model.resizeEmbeddings(0)).hasMessageContaining("at least 1");
    }
  }
}
