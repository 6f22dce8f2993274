package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.CrossEntropy;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;
import org.peft4j.train.Fit;
import org.peft4j.train.Metrics;
import org.peft4j.train.Objective;

/** LongLoRA on whole models: sparse in training alone, a LoRA otherwise. */
@Tag("fast")
class LongLoraTest {
  private static final Path BASES = Path.of("src/test/resources/golden/hf/base");
  private static final String[] WHOLE = {
    "embed_tokens", "input_layernorm", "post_attention_layernorm", "norm"
  };

  @TempDir Path dir;

  private static Pretrained llama() {
    return Models.load(BASES.resolve("llama"));
  }

  private static Tuned lora(Pretrained model) {
    return Peft.lora(model)
        .rank(8)
        .alpha(16)
        .targets("q", "k", "v", "o")
        .modulesToSave(WHOLE)
        .seed(3)
        .apply();
  }

  @Test
  void is_lora_on_all_of_attention_with_embeddings_and_norms() {
    try (Pretrained model = llama();
        Tuned plain = lora(model);
        Tuned tuned = Peft.longLora(model).seed(3).apply()) {
      assertThat(tuned.trainable().keySet()).isEqualTo(plain.trainable().keySet());
      assertThat(Peft.longLora(model).toString())
          .contains("longlora (rank 8, alpha 16, groups of 0.25 of the text)")
          .contains("8 sites")
          .contains("embed_tokens, input_layernorm, post_attention_layernorm, norm");
    }
  }

  @Test
  void at_inference_it_is_that_lora() {
    try (Pretrained model = llama();
        NDManager manager = Torch.newManager();
        Tuned plain = lora(model);
        Tuned tuned = Peft.longLora(model).seed(3).apply()) {
      Noise.on(plain);
      Noise.on(tuned);
      assertThat(run(tuned, manager, false)).isEqualTo(run(plain, manager, false));
      assertThat(distance(run(tuned, manager, true), run(plain, manager, true)))
          .as("in training it is not")
          .isGreaterThan(1e-3f);
    }
  }

  @Test
  void one_group_trains_as_that_lora_does() {
    try (Pretrained model = llama();
        NDManager manager = Torch.newManager();
        Tuned plain = lora(model);
        Tuned one = Peft.longLora(model).groupRatio(1).seed(3).apply();
        Tuned sparse = Peft.longLora(model).seed(3).apply()) {
      float[] expected = trained(plain, manager);
      // matrix products round by where their operands lie in memory
      assertThat(distance(trained(one, manager), expected)).isLessThan(2e-5f);
      assertThat(distance(trained(sparse, manager), expected)).isGreaterThan(1e-3f);
    }
  }

  @Test
  void merges_and_unmerges() {
    try (Pretrained model = llama();
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.longLora(model).seed(3).apply()) {
      Noise.on(tuned);
      float[] adapted = run(tuned, manager, false);
      assertThat(tuned.isMergeable()).isTrue();
      try (Pretrained merged = tuned.merge()) {
        assertThat(distance(run(merged, manager, false), adapted)).isLessThan(1e-5f);
      }
      tuned.mergeInPlace();
      assertThat(distance(run(tuned, manager, false), adapted)).isLessThan(1e-5f);
      tuned.unmerge();
      assertThat(run(tuned, manager, false)).isEqualTo(adapted);
    }
  }

  @Test
  void its_file_is_a_lora_with_entries_of_its_own() throws Exception {
    try (Pretrained model = llama();
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.longLora(model).group(6).seed(3).apply()) {
      Noise.on(tuned);
      tuned.save(dir.resolve("once"));
      Map<String, ?> config = Json.read(dir.resolve("once/adapter_config.json"));
      assertThat(config.get("peft_type")).isEqualTo("LORA");
      assertThat(config.get("target_modules"))
          .isEqualTo(List.of("k_proj", "o_proj", "q_proj", "v_proj"));
      assertThat(config.get("modules_to_save")).isEqualTo(List.of(WHOLE));
      assertThat(config.get("longlora_group_size")).isEqualTo(6L);
      assertThat(config.get("longlora_context")).isEqualTo(64L);
      try (Tuned again = Peft.load(model, dir.resolve("once"))) {
        assertThat(again.method("default")).isEqualTo(tuned.method("default"));
        assertThat(run(again, manager, false)).isEqualTo(run(tuned, manager, false));
        assertThat(run(again, manager, true)).isEqualTo(run(tuned, manager, true));
        again.save(dir.resolve("twice"));
      }
      for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
        assertThat(dir.resolve("twice").resolve(file))
            .as(file)
            .hasSameBinaryContentAs(dir.resolve("once").resolve(file));
      }
    }
  }

  @Test
  void a_longer_context_presses_positions_together() throws Exception {
    try (Pretrained model = llama();
        NDManager manager = Torch.newManager();
        Pretrained longer = model.withContext(100);
        Pretrained longest = longer.withContext(200)) {
      assertThat(model.context()).isEqualTo(64);
      assertThat(longer.context()).isEqualTo(128);
      assertThat(longest.context()).isEqualTo(256);
      assertThat(longest.withContext(256).context()).isEqualTo(256);
      assertThat(rope(longer, "rope_type")).isEqualTo("linear");
      assertThat(rope(longer, "factor")).isEqualTo(2.0);
      assertThat(rope(longest, "factor")).isEqualTo(4.0);
      assertThat(rope(longest, "rope_theta")).isEqualTo(10000.0);
      assertThat(longer.parameters()).isEqualTo(model.parameters());
      float[] pressed = run(longer, manager, false);
      assertThat(distance(pressed, run(model, manager, false))).isGreaterThan(1e-3f);
      longer.save(dir.resolve("longer"));
      try (Pretrained read = Models.load(dir.resolve("longer"))) {
        assertThat(read.context()).isEqualTo(128);
        assertThat(run(read, manager, false)).isEqualTo(pressed);
      }
    }
  }

  private static Object rope(Pretrained model, String key) {
    return Objects.requireNonNull(model.config()).object("rope_parameters").values().get(key);
  }

  @Test
  void what_was_trained_on_another_context_is_refused() {
    try (Pretrained model = llama();
        Pretrained longer = model.withContext(128);
        Tuned tuned = Peft.longLora(longer).apply()) {
      tuned.save(dir.resolve("long"));
      assertThatThrownBy(() -> Peft.load(model, dir.resolve("long")))
          .hasMessageContaining("longlora_context: the model has 64, the file says 128");
      Peft.load(model.withContext(128), dir.resolve("long")).close();
    }
  }

  @Test
  void says_what_it_cannot_do() {
    try (Pretrained model = llama();
        Pretrained bert = Models.load(BASES.resolve("bert"))) {
      assertThatThrownBy(() -> bert.withContext(1000)).hasMessageContaining("rotary positions");
      assertThatThrownBy(() -> Peft.longLora(model).group(1))
          .hasMessageContaining("longlora_group_size");
      assertThatThrownBy(() -> Peft.longLora(model).groupRatio(0))
          .hasMessageContaining("longlora_group_ratio");
    }
  }

  /** Texts longer than the model has seen, in which 8 tokens come again and again. */
  @ParameterizedTest
  @ValueSource(ints = {96, 90})
  void learns_to_repeat_over_a_longer_context(int length) {
    try (Pretrained model = llama();
        Pretrained longer = model.withContext(length);
        Tuned tuned = Peft.longLora(longer).seed(1).apply()) {
      Repeating rows = new Repeating(16, length);
      double before = rows.evaluate(tuned, 8).get("loss");
      Fit fit = tuned.fit(rows).epochs(10).learningRate(0.01).batchSize(8).quiet().run();
      assertThat(fit.steps().get(fit.steps().size() - 1).loss())
          .isLessThan(0.9 * fit.steps().get(0).loss());
      assertThat(rows.evaluate(tuned, 8).get("loss"))
          .as("with dense attention")
          .isLessThan(0.9 * before);
    }
  }

  // ---- running

  private float[] run(Block model, NDManager manager, boolean training) {
    return Torch.inference(
        () -> {
          try (TensorSource io = Safetensors.open(BASES.resolve("llama/io.safetensors"))) {
            NDList in =
                new NDList(io.load("input_ids", manager), io.load("attention_mask", manager));
            return model
                .forward(new ParameterStore(manager, false), in, training)
                .singletonOrThrow()
                .toFloatArray();
          }
        });
  }

  private float[] trained(Tuned tuned, NDManager manager) {
    tuned.fit(new Repeating(8, 24)).epochs(2).learningRate(0.01).batchSize(4).quiet().run();
    return run(tuned, manager, false);
  }

  private static float distance(float[] a, float[] b) {
    assertThat(a).hasSameSizeAs(b);
    return (float)
        IntStream.range(0, a.length).mapToDouble(i -> Math.abs(a[i] - b[i])).max().orElse(0);
  }

  /** Every row is 8 random tokens, repeated; the next token is to be told. */
  private record Repeating(int rows, int tokens) implements Objective {
    private static final int PERIOD = 8;

    @Override
    public int length(int row) {
      return tokens;
    }

    @Override
    public NDArray loss(
        Block model, ParameterStore store, NDManager manager, int[] batch, boolean training) {
      long[] ids = new long[batch.length * (tokens + 1)];
      for (int i = 0; i < batch.length; i++) {
        Seed row = Seed.of(7).at(batch[i]);
        for (int t = 0; t <= tokens; t++) {
          ids[i * (tokens + 1) + t] = 3L + row.below(t % PERIOD, 60);
        }
      }
      NDArray all = Buffers.create(manager, ids, new Shape(batch.length, tokens + 1));
      NDArray in = all.get(":, :{}", tokens);
      NDArray logits =
          model.forward(store, new NDList(in, in.onesLike()), training).singletonOrThrow();
      NDArray next = all.get(":, 1:").toType(DataType.INT64, true).reshape(-1);
      return CrossEntropy.mean(logits.reshape(-1, logits.getShape().get(2)), next);
    }

    @Override
    public Metrics evaluate(Block model, int batchSize) {
      int[] all = IntStream.range(0, rows).toArray();
      return Torch.inference(
          () -> {
            try (NDManager manager = Torch.newManager()) {
              double loss =
                  loss(model, new ParameterStore(manager, false), manager, all, false).getFloat();
              return new Metrics(Map.of("loss", loss), rows, false);
            }
          });
    }
  }
}
