package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.adapter.Gradients;
import org.peft4j.adapter.Statistics;
import org.peft4j.data.Examples;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.LoraInit;
import org.peft4j.reparam.LoraStart;
import org.peft4j.spi.Moments;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.CrossEntropy;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/**
 * Starts of LoRA that come from data, held to what Hugging Face PEFT makes of the same texts. The
 * files are made by {@code src/test/python/golden_calibrated.py}.
 */
@Tag("fast")
class CalibratedTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final Path BASE = GOLDEN.resolve("hf/base/llama");
  private static final String[] ATTENTION = {"q", "k", "v", "o", "up"};
  private static final String[] SOME = {"q", "k", "v", "down"};

  @TempDir Path dir;

  private static Statistics seen(Pretrained model, String... targets) {
    return Torch.inference(
        () -> {
          try (NDManager manager = Torch.newManager();
              TensorSource in = Safetensors.open(GOLDEN.resolve("calibrated/inputs.safetensors"))) {
            NDList all =
                new NDList(in.load("input_ids", manager), in.load("attention_mask", manager));
            return Statistics.of(model, List.of(targets), List.of(all));
          }
        });
  }

  // ---- what is recorded

  @Test
  void inputs_of_the_first_layer_are_normalised_embeddings_without_padding() throws IOException {
    try (Pretrained model = Models.load(BASE);
        Statistics seen = seen(model, ATTENTION);
        NDManager manager = Torch.newManager();
        Scope scope = Scope.open();
        TensorSource in = Safetensors.open(GOLDEN.resolve("calibrated/inputs.safetensors"))) {
      Map<String, NDArray> weights = model.tensors();
      NDArray words = Objects.requireNonNull(weights.get("model.embed_tokens.weight"));
      NDArray gain = Objects.requireNonNull(weights.get("model.layers.0.input_layernorm.weight"));
      long[] ids = in.load("input_ids", manager).toLongArray();
      long[] mask = in.load("attention_mask", manager).toLongArray();
      int tokens = 0;
      double[] squares = new double[32 * 32];
      double[] sum = new double[32];
      for (int i = 0; i < ids.length; i++) {
        if (mask[i] == 0) {
          continue;
        }
        tokens++;
        float[] x = words.get(ids[i]).toFloatArray();
        double mean =
            IntStream.range(0, 32).mapToDouble(j -> (double) x[j] * x[j]).average().orElseThrow();
        double[] row = new double[32];
        for (int j = 0; j < 32; j++) {
          row[j] = x[j] / Math.sqrt(mean + 1e-6) * gain.getFloat(j);
          sum[j] += row[j];
        }
        for (int j = 0; j < 32 * 32; j++) {
          squares[j] += row[j / 32] * row[j % 32];
        }
      }
      Moments moments = seen.at(site(model, "model.layers.0.self_attn.q_proj"));
      assertThat(moments.rows()).isEqualTo(tokens);
      NDArray directions = moments.principal().directions();
      double[] ratios = moments.principal().ratios().toDoubleArray();
      double total = 0;
      for (int j = 0; j < 32; j++) {
        total += squares[33 * j] - sum[j] * sum[j] / tokens;
      }
      for (int k = 0; k < 32; k++) { // each direction explains what it says
        double[] v = directions.get(k).toDoubleArray();
        double variance = 0;
        for (int j = 0; j < 32 * 32; j++) {
          double centered = squares[j] - sum[j / 32] * sum[j % 32] / tokens;
          variance += v[j / 32] * centered * v[j % 32];
        }
        assertThat(variance / total).isCloseTo(ratios[k], within(1e-6));
      }
      assertThat(seen).hasToString("10 layers, " + tokens + " tokens");
      assertThat(moments).isSameAs(seen.at(site(model, "model.layers.0.self_attn.v_proj")));
      assertThat(moments).isNotSameAs(seen.at(site(model, "model.layers.0.self_attn.o_proj")));
      assertThatThrownBy(() -> seen.at(site(model, "model.layers.0.mlp.down_proj")))
          .hasMessageContaining("nothing is known of the inputs of model.layers.0.mlp.down_proj");
    }
  }

  private static Site site(Pretrained model, String path) {
    return Peft.lora(model).targets(path).sites().get(0);
  }

  @Test
  void texts_are_tokenized_in_batches() {
    List<String> texts =
        IntStream.range(0, 11).mapToObj(i -> "a text of number " + i + " or so").toList();
    try (Pretrained model = Models.load(GOLDEN.resolve("resized/mean"));
        Statistics seen = Peft.calibrate(model, texts)) {
      long tokens = model.tokenizer().encodeAll(texts).stream().mapToLong(t -> t.length()).sum();
      assertThat(seen.toString()).endsWith(", " + tokens + " tokens");
    }
  }

  // ---- EVA

  @ParameterizedTest
  @CsvSource({"eva, 8, 2", "eva_rho_1, 16, 1"})
  void eva_is_hugging_faces(String name, int rank, double rho) throws IOException {
    try (Pretrained model = Models.load(BASE);
        Statistics seen = seen(model, ATTENTION);
        NDManager manager = Torch.newManager();
        Scope scope = Scope.open();
        TensorSource hf = Safetensors.open(GOLDEN.resolve("calibrated/" + name + ".safetensors"));
        Tuned tuned =
            Peft.lora(model)
                .rank(rank)
                .alpha(16)
                .targets(ATTENTION)
                .init(LoraInit.eva(seen, rho))
                .apply()) {
      Map<String, Parameter> theta = tuned.trainable();
      TreeSet<String> sites = new TreeSet<>();
      theta.keySet().forEach(n -> sites.add(n.replaceAll("^default:|.lora_[AB].weight$", "")));
      TreeSet<String> expected = new TreeSet<>();
      hf.names().stream()
          .filter(n -> n.endsWith(".A"))
          .forEach(n -> expected.add(n.substring(0, n.length() - 2)));
      assertThat(sites).isEqualTo(expected);
      Map<String, NDArray> weights = model.tensors();
      for (String site : sites) {
        NDArray a = value(theta, site, "A");
        NDArray there = hf.load(site + ".A", manager);
        assertThat(a.getShape()).as(site).isEqualTo(there.getShape());
        // each direction, whatever its sign
        NDArray along = a.mul(there).sum(new int[] {1}).abs();
        assertThat(along.min().getFloat()).as(site).isCloseTo(1, within(1e-4f));
        NDArray w = Objects.requireNonNull(weights.get(site + ".weight"));
        NDArray b =
            Objects.requireNonNull(theta.get("default:" + site + ".lora_B.weight")).getArray();
        assertThat(b.abs().max().getFloat()).isZero();
        Buffers.copy(Scalars.div(w.matMul(a.transpose()), 10), b);
      }
      compare(tuned, hf, manager);
    }
  }

  @Test
  void eva_moves_ranks_within_the_budget_and_its_file_says_where_to() throws Exception {
    try (Pretrained model = Models.load(BASE);
        Statistics seen = seen(model, ATTENTION);
        NDManager manager = Torch.newManager();
        Tuned tuned =
            Peft.lora(model).rank(4).alpha(6).targets(ATTENTION).init(LoraInit.eva(seen)).apply()) {
      List<Long> ranks = new ArrayList<>();
      tuned
          .trainable()
          .forEach(
              (n, p) -> {
                if (n.endsWith("lora_A.weight")) {
                  ranks.add(p.getShape().get(0));
                }
              });
      assertThat(ranks.stream().mapToLong(r -> r).sum()).isEqualTo(40);
      assertThat(ranks).allMatch(r -> r >= 1 && r <= 8).anyMatch(r -> r != 4);
      assertThat(run(tuned, manager)).isEqualTo(run(model, manager));
      Noise.on(tuned);
      keeps(model, tuned, manager);
      Map<String, ?> config = Json.read(dir.resolve("once/adapter_config.json"));
      assertThat(config.get("init_lora_weights")).isEqualTo(true);
      assertThat(config.get("r")).isEqualTo(4L);
      Map<?, ?> rankPattern = (Map<?, ?>) config.get("rank_pattern");
      Map<?, ?> alphaPattern = (Map<?, ?>) config.get("alpha_pattern");
      assertThat(rankPattern.keySet()).isEqualTo(alphaPattern.keySet());
      rankPattern.forEach(
          (site, rank) ->
              assertThat(((Number) alphaPattern.get(site)).doubleValue())
                  .as("the scale stays at 6 / 4")
                  .isEqualTo(1.5 * (Long) rank));
    }
  }

  @Test
  void eva_needs_more_tokens_than_components() {
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        Statistics seen =
            Statistics.of(
                model,
                List.of("q"),
                List.of(new NDList(manager.create(new long[][] {{3, 4, 5, 6, 7}}))))) {
      assertThatThrownBy(() -> Peft.lora(model).targets("q").init(LoraInit.eva(seen)).apply())
          .hasMessageContaining("expected: more than 16 tokens\nfound: 5 at model.layers.0");
      assertThatThrownBy(() -> Peft.lora(model).targets("up").init(LoraInit.eva(seen)).apply())
          .hasMessageContaining("nothing is known of the inputs of model.layers.0.mlp.up_proj");
      assertThatThrownBy(() -> LoraInit.eva(seen, 0.5)).hasMessageContaining("rho");
    }
  }

  // ---- CorDA

  private static LoraStart corda(Statistics seen, String name) {
    return name.endsWith("kpm") ? LoraInit.cordaKeeping(seen) : LoraInit.corda(seen);
  }

  @ParameterizedTest
  @ValueSource(strings = {"corda_ipm", "corda_kpm"})
  void corda_is_hugging_faces(String name) throws IOException {
    try (Pretrained model = Models.load(BASE);
        Statistics seen = seen(model, SOME);
        NDManager manager = Torch.newManager();
        Scope scope = Scope.open();
        TensorSource hf = Safetensors.open(GOLDEN.resolve("calibrated/" + name + ".safetensors"));
        Tuned tuned =
            Peft.lora(model).rank(4).alpha(6).targets(SOME).init(corda(seen, name)).apply()) {
      assertThat(distance(run(tuned, manager), run(model, manager)))
          .as("starts at W0")
          .isLessThan(1e-5f);
      Map<String, Parameter> theta = tuned.trainable();
      assertThat(theta).hasSize(16);
      for (String n : theta.keySet()) {
        if (n.endsWith(".lora_A.weight")) {
          String site = n.replaceAll("^default:|.lora_A.weight$", "");
          NDArray a = value(theta, site, "A");
          NDArray ours = value(theta, site, "B").matMul(a);
          NDArray theirs = hf.load(site + ".B", manager).matMul(hf.load(site + ".A", manager));
          assertThat(ours.sub(theirs).abs().max().getFloat())
              .as(site)
              .isLessThan(2e-5f * (1 + theirs.abs().max().getFloat()));
          Buffers.copy(Scalars.mul(a, 1.5), a);
        }
      }
      compare(tuned, hf, manager);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"corda_ipm", "corda_kpm"})
  void corda_is_saved_as_a_plain_lora_of_twice_the_rank(String name) throws Exception {
    try (Pretrained model = Models.load(BASE);
        Statistics seen = seen(model, SOME);
        NDManager manager = Torch.newManager();
        Tuned tuned =
            Peft.lora(model)
                .rank(4)
                .alpha(6)
                .rsLora()
                .rankPattern("v_proj", 3)
                .targets(SOME)
                .init(corda(seen, name))
                .apply()) {
      Noise.on(tuned);
      keeps(model, tuned, manager);
      Map<String, ?> config = Json.read(dir.resolve("once/adapter_config.json"));
      assertThat(config.get("init_lora_weights")).isEqualTo(true);
      assertThat(config.get("r")).isEqualTo(8L);
      assertThat(((Map<?, ?>) config.get("rank_pattern")).values())
          .allMatch(r -> r.equals(6L))
          .hasSize(2);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"corda", "lora_ga"})
  void a_file_that_needs_its_data_is_refused(String init) throws Exception {
    try (Pretrained model = Models.load(BASE);
        Tuned tuned = Peft.lora(model).rank(2).apply()) {
      tuned.save(dir.resolve("plain"));
      Path file = dir.resolve("plain/adapter_config.json");
      String text = java.nio.file.Files.readString(file);
      java.nio.file.Files.writeString(
          file,
          text.replace("\"init_lora_weights\": true", "\"init_lora_weights\": \"" + init + "\""));
      assertThatThrownBy(() -> Peft.load(model, dir.resolve("plain")))
          .hasMessageContaining("path_initial_model_for_weight_conversion");
    }
  }

  // ---- LoRA-GA

  /** What the texts lose on their next tokens, one text after the other. */
  private static Gradients gradients(Pretrained model, String... targets) {
    try (NDManager data = Torch.newManager();
        TensorSource in = Safetensors.open(GOLDEN.resolve("calibrated/inputs.safetensors"))) {
      NDArray ids = in.load("input_ids", data);
      NDArray mask = in.load("attention_mask", data);
      return Gradients.of(
          model,
          List.of(targets),
          (int) ids.getShape().get(0),
          (block, store, manager, number) -> {
            long length = mask.get(number).sum().getLong();
            NDArray text = ids.get(number).get(":" + length).expandDims(0);
            NDArray logits =
                block
                    .forward(store, new NDList(text, text.onesLike()), false)
                    .singletonOrThrow()
                    .get(0);
            return CrossEntropy.mean(logits.get(":-1"), text.get(0).get("1:"));
          });
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void lora_ga_is_hugging_faces() throws IOException {
    try (Pretrained model = Models.load(BASE);
        Gradients seen = gradients(model, "q", "o", "up");
        NDManager manager = Torch.newManager();
        Scope scope = Scope.open();
        TensorSource hf = Safetensors.open(GOLDEN.resolve("calibrated/lora_ga.safetensors"));
        Tuned tuned =
            Peft.lora(model)
                .rank(8)
                .alpha(6)
                .targets("q", "o", "up")
                .init(LoraInit.loraGa(seen))
                .apply()) {
      assertThat(seen).hasToString("6 layers, 24 batches");
      assertThat(distance(run(tuned, manager), run(model, manager)))
          .as("starts at W0")
          .isLessThan(1e-5f);
      Map<String, Parameter> theta = tuned.trainable();
      assertThat(theta).hasSize(12);
      for (String n : theta.keySet()) {
        if (n.endsWith(".lora_A.weight")) {
          String site = n.replaceAll("^default:|.lora_A.weight$", "");
          sameButForSigns(value(theta, site, "A"), hf.load(site + ".A", manager), site);
          sameButForSigns(
              value(theta, site, "B").transpose(), hf.load(site + ".B", manager).transpose(), site);
        }
      }
      Noise.on(tuned);
      keeps(model, tuned, manager);
      Map<String, ?> config = Json.read(dir.resolve("once/adapter_config.json"));
      assertThat(config.get("init_lora_weights")).isEqualTo(true);
      assertThat(config.get("r")).as("holds what was taken out of the base").isEqualTo(16L);
    }
  }

  @Test
  void gradients_of_labelled_texts_are_means_of_batches() {
    List<String> texts = IntStream.range(0, 11).mapToObj(i -> "a text of number " + i).toList();
    List<String> labels = IntStream.range(0, 11).mapToObj(i -> i % 2 == 0 ? "x" : "y").toList();
    Examples rows = Examples.of(texts, labels);
    try (Pretrained words = Models.load(GOLDEN.resolve("resized/mean"));
        Pretrained model = words.classify(rows.labels());
        Gradients seen = Peft.gradients(model, rows, "q")) {
      assertThat(seen.toString()).endsWith(" layers, 2 batches");
      Site q = Peft.lora(model).targets("q").sites().get(0);
      assertThat(seen.at(q).abs().max().getFloat()).isPositive();
      assertThat(model.getParameters().values().stream().noneMatch(p -> p.requiresGradient()))
          .as("the model is as it was")
          .isEqualTo(words.getParameters().values().stream().noneMatch(p -> p.requiresGradient()));
    }
  }

  private static void sameButForSigns(NDArray rows, NDArray expected, String site) {
    NDArray sizes = expected.norm(new int[] {1}, false);
    NDArray along = rows.mul(expected).sum(new int[] {1}).abs();
    assertThat(along.div(sizes.square()).sub(1).abs().max().getFloat()).as(site).isLessThan(1e-3f);
    assertThat(rows.norm(new int[] {1}, false).div(sizes).sub(1).abs().max().getFloat())
        .as(site)
        .isLessThan(1e-3f);
  }

  @Test
  void lora_ga_needs_gradients_of_its_sites_and_room_for_twice_its_rank() {
    try (Pretrained model = Models.load(BASE);
        Gradients seen = gradients(model, "q")) {
      assertThatThrownBy(() -> Peft.lora(model).targets("up").init(LoraInit.loraGa(seen)).apply())
          .hasMessageContaining("nothing is known of the weight of model.layers.0.mlp.up_proj");
      assertThatThrownBy(
              () -> Peft.lora(model).rank(17).targets("q").init(LoraInit.loraGa(seen)).apply())
          .hasMessageContaining("at most half of the smaller side");
      assertThatThrownBy(() -> LoraInit.loraGa(seen, 0)).hasMessageContaining("stable_gamma");
    }
  }

  // ---- running

  /** From its file it computes the same, merged too, and is written again as it was. */
  private void keeps(Pretrained model, Tuned tuned, NDManager manager) {
    float[] adapted = run(tuned, manager);
    assertThat(distance(adapted, run(model, manager))).as("it acts").isGreaterThan(1e-3f);
    try (Pretrained merged = tuned.merge()) {
      assertThat(distance(run(merged, manager), adapted)).as("merged").isLessThan(1e-5f);
    }
    tuned.save(dir.resolve("once"));
    try (Tuned again = Peft.load(model, dir.resolve("once"))) {
      assertThat(distance(run(again, manager), adapted)).as("from its file").isLessThan(1e-5f);
      again.save(dir.resolve("twice"));
    }
    for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
      assertThat(dir.resolve("twice").resolve(file))
          .as(file)
          .hasSameBinaryContentAs(dir.resolve("once").resolve(file));
    }
  }

  private static NDArray value(Map<String, Parameter> theta, String site, String factor) {
    return Objects.requireNonNull(theta.get("default:" + site + ".lora_" + factor + ".weight"))
        .getArray();
  }

  private static void compare(Tuned tuned, TensorSource hf, NDManager manager) throws IOException {
    try (TensorSource io = Safetensors.open(BASE.resolve("io.safetensors"))) {
      NDArray mask = io.load("attention_mask", manager);
      float[] there = atTokens(hf.load("logits", manager), mask);
      assertThat(distance(run(tuned, manager), there)).as("logits").isLessThan(2e-5f);
    }
  }

  private static float[] atTokens(NDArray logits, NDArray mask) {
    return logits.mul(mask.toType(DataType.FLOAT32, false).expandDims(2)).toFloatArray();
  }

  /** Logits for the base's own inputs, 0 at padding. */
  private static float[] run(Block model, NDManager manager) {
    return Torch.inference(
        () -> {
          try (TensorSource io = Safetensors.open(BASE.resolve("io.safetensors"))) {
            NDList in =
                new NDList(io.load("input_ids", manager), io.load("attention_mask", manager));
            NDList out = model.forward(new ParameterStore(manager, false), in, false);
            return atTokens(out.get(0), in.get(1));
          }
        });
  }

  private static float distance(float[] a, float[] b) {
    assertThat(a).hasSameSizeAs(b);
    return (float)
        IntStream.range(0, a.length).mapToDouble(i -> Math.abs(a[i] - b[i])).max().orElse(0);
  }
}
