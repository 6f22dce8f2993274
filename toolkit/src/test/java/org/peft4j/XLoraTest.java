package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.peft4j.Outputs.distance;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Network;
import org.peft4j.model.Pretrained;
import org.peft4j.nn.GrowingCache;
import org.peft4j.reparam.XLora;
import org.peft4j.tensor.Torch;

/** LoRAs that a classifier weighs, as Hugging Face PEFT does ({@code golden_xlora.py}). */
@Tag("fast")
class XLoraTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final Path BASE = GOLDEN.resolve("hf/base/llama");
  private static final Path FILES = GOLDEN.resolve("xlora");

  @TempDir Path dir;

  private static List<String> cases() throws IOException {
    try (Stream<Path> all = Files.list(FILES)) {
      return all.map(p -> p.getFileName().toString()).sorted().toList();
    }
  }

  private static NDArray run(Block model, NDManager manager) throws IOException {
    try (TensorSource io = Safetensors.open(BASE.resolve("io.safetensors"))) {
      NDList in = new NDList(io.load("input_ids", manager), io.load("attention_mask", manager));
      NDArray logits = Outputs.of(model, in);
      return logits.mul(in.get(1).toType(DataType.FLOAT32, false).expandDims(2));
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void outputs_are_those_of_hugging_face_and_survive_our_file(String name) throws IOException {
    Path from = FILES.resolve(name);
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        TensorSource io = Safetensors.open(BASE.resolve("io.safetensors"));
        TensorSource hf = Safetensors.open(from.resolve("logits.safetensors"));
        Tuned tuned = Peft.load(model, from)) {
      NDArray mask = io.load("attention_mask", manager).toType(DataType.FLOAT32, false);
      NDArray there = hf.load("logits", manager).mul(mask.expandDims(2));
      NDArray here = run(tuned, manager);
      assertThat(distance(here, there)).isLessThan(1e-5f);
      assertThat(tuned.adapters()).containsExactly("default");
      NDArray plain = run(model, manager);
      assertThat(distance(run(tuned.disable(), manager), plain)).isZero();
      assertThat(distance(here, plain)).isGreaterThan(1e-3f);
      tuned.enable().save(dir.resolve("once"));
      try (Tuned again = Peft.load(model, dir.resolve("once"))) {
        assertThat(distance(run(again, manager), here)).isZero();
        again.save(dir.resolve("twice"));
      }
    }
    for (String file : List.of("", "0", "1", "2")) {
      for (String f : List.of("adapter_config.json", "adapter_model.safetensors")) {
        assertThat(dir.resolve("twice").resolve(file).resolve(f))
            .hasSameBinaryContentAs(dir.resolve("once").resolve(file).resolve(f));
      }
    }
  }

  private static Tuned two(Pretrained model) {
    return Peft.load(model, FILES.resolve("llama/0"), "a").load("b", FILES.resolve("llama/1"));
  }

  @Test
  void the_classifier_alone_is_trained_unless_one_wants_more() {
    try (Pretrained model = Models.load(BASE);
        Tuned tuned = two(model)) {
      Peft.xlora(tuned, "a", "b").named("x").depth(2).size(5).layerwise().apply();
      long modules = 6; // q, v and up of two layers
      assertThat(tuned.trainableParameters()).isEqualTo(32 * 5 + 5 + (5 + 1) * 2 * modules);
      assertThat(tuned.trainable().keySet())
          .allMatch(n -> n.startsWith("x:internal_xlora_classifier.layers."));
      Peft.xlora(tuned, "a", "b").named("all").trainLoras().apply();
      assertThat(tuned.trainable().keySet()).anyMatch(n -> n.endsWith("q_proj.1.lora_B.weight"));
    }
  }

  @Test
  void loras_that_count_nothing_leave_the_base_and_one_alone_is_itself() throws IOException {
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        Tuned tuned = two(model)) {
      NDArray b = run(tuned.use("b"), manager);
      Peft.xlora(tuned, "b").named("one").apply(); // the softmax of one is 1
      assertThat(distance(run(tuned, manager), b)).isLessThan(1e-5f);
      Peft.xlora(tuned, "a", "b").named("none").scale(0).apply();
      assertThat(distance(run(tuned, manager), run(model, manager))).isLessThan(1e-5f);
    }
  }

  @Test
  void with_a_cache_tokens_are_weighed_as_without() {
    long[][] texts = {{5, 7, 9, 7, 8, 20, 21}, {5, 8, 7, 11, 12, 7, 22}};
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.load(model, FILES.resolve("llama_first"));
        GrowingCache cache = new GrowingCache()) {
      NDArray whole = forward(tuned, manager, texts, 0, 7, null);
      NDArray prompt = forward(tuned, manager, texts, 0, 5, cache);
      assertThat(distance(prompt.get(":, -1"), whole.get(":, 4"))).isLessThan(1e-5f);
      cache.select(new long[] {1, 0}); // as beams do
      long[][] turned = {texts[1], texts[0]};
      for (int t = 5; t < 7; t++) {
        NDArray next = forward(tuned, manager, turned, t, t + 1, cache);
        assertThat(distance(next.get(0, -1), whole.get(1, t))).isLessThan(1e-5f);
        assertThat(distance(next.get(1, -1), whole.get(0, t))).isLessThan(1e-5f);
      }
    }
  }

  private static NDArray forward(
      Tuned tuned, NDManager manager, long[][] texts, int from, int to, GrowingCache cache) {
    long[][] ids =
        Stream.of(texts).map(t -> java.util.Arrays.copyOfRange(t, from, to)).toArray(long[][]::new);
    PairList<String, Object> wishes = new PairList<>();
    if (cache != null) {
      wishes.add(Network.CACHE, cache);
      wishes.add(Network.LAST_ONLY, true);
    }
    return Torch.inference(
        () ->
            tuned
                .forward(
                    new ParameterStore(manager, false),
                    new NDList(manager.create(ids)),
                    false,
                    wishes)
                .get(0));
  }

  @Test
  void what_cannot_be_says_why() {
    try (Pretrained model = Models.load(BASE);
        Pretrained t5 = Models.load(BASE.resolveSibling("t5"));
        Tuned tuned = two(model);
        Tuned other = Peft.lora(t5).targets("q").named("a").apply()) {
      assertThatThrownBy(() -> Peft.xlora(tuned)).hasMessageContaining("at least one LoRA");
      assertThatThrownBy(() -> Peft.xlora(tuned, "a", "c")).hasMessageContaining("no adapter 'c'");
      assertThatThrownBy(() -> Peft.xlora(tuned, "a").named("x").topK(2).apply())
          .hasMessageContaining("top_k_lora\nexpected: at most the number of LoRAs, 1");
      assertThatThrownBy(() -> Peft.xlora(tuned, "a").temperature(0))
          .hasMessageContaining("softmax_temperature\nexpected: above 0");
      assertThatThrownBy(() -> Peft.xlora(tuned, "a").topK(1).firstPass(0.5))
          .hasMessageContaining("scaling_pass_value\nexpected: 0 beside top_k_lora");
      assertThatThrownBy(() -> Peft.xlora(tuned, "a").named("x").layers(1).apply())
          .hasMessageContaining("targets: xlora adapts what its LoRAs do")
          .hasMessageContaining("layers.0.self_attn.q_proj of 'a' is left out");
      assertThatThrownBy(() -> Peft.xlora(other, "a").named("x").apply())
          .hasMessageContaining("models of one stack");
      Peft.ia3(tuned).named("ia3").apply();
      assertThatThrownBy(() -> Peft.xlora(tuned, "a", "ia3"))
          .hasMessageContaining("adapter 'ia3' cannot be an expert of xlora");
      Peft.xlora(tuned, "a", "b").named("x").apply();
      assertThatThrownBy(tuned::merge).hasMessageContaining("merge: adapter 'x' (xlora)");
      assertThatThrownBy(() -> tuned.convertToLora("plain", 4)).hasMessageContaining("xlora");
      assertThatThrownBy(tuned::changes).hasMessageContaining("no weight is the same");
      assertThatThrownBy(() -> Onnx.withAdapters(tuned, "x"))
          .hasMessageContaining("found: xlora\nfix: use a LoRA");
    }
  }

  @Test
  void its_loras_are_not_written_over_by_others() {
    try (Pretrained model = Models.load(BASE);
        Tuned tuned = Peft.load(model, FILES.resolve("llama/0"), "1")) {
      Peft.xlora(tuned, "1").named("default").apply();
      tuned.save(dir);
      assertThat(dir.resolve("0/adapter_config.json")).exists();
      tuned.load("0", FILES.resolve("llama/1"));
      assertThatThrownBy(() -> tuned.save(dir)).hasMessageContaining("save: adapter '0'");
    }
  }

  /** PEFT leaves the first layer of the classifier out of what it saves. */
  @Test
  void a_file_without_its_classifier_or_a_lora_is_refused_and_leaves_no_trace() throws IOException {
    for (Path p : files(FILES.resolve("llama"))) {
      Path to = dir.resolve(FILES.resolve("llama").relativize(p).toString());
      Files.createDirectories(to.getParent());
      Files.copy(p, to);
    }
    Path file = dir.resolve("adapter_model.safetensors");
    byte[] whole = Files.readAllBytes(file);
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        Tuned tuned = two(model)) {
      Map<String, NDArray> none = new LinkedHashMap<>();
      none.put("x", manager.ones(new ai.djl.ndarray.types.Shape(1)));
      Safetensors.write(file, none, Map.of("format", "pt"));
      assertThatThrownBy(() -> tuned.load("x", dir))
          .hasMessageContaining(
              "missing base_model.internal_xlora_classifier.layers.0.weight (3, 32)");
      assertThat(tuned.adapters()).containsExactly("a", "b");
      assertThat(tuned.activeAdapters()).containsExactly("b");
      Files.write(file, whole);
      Files.delete(dir.resolve("1/adapter_config.json"));
      assertThatThrownBy(() -> tuned.load("x", dir))
          .hasMessageContaining("adapters: LoRA 1")
          .hasMessageContaining("fix: put the LoRA at the last of them");
      Files.copy(dir.resolve("adapter_config.json"), dir.resolve("1/adapter_config.json"));
      assertThatThrownBy(() -> tuned.load("x", dir))
          .hasMessageContaining("an expert of xlora\nexpected: peft_type LORA\nfound: XLORA");
      assertThat(tuned.adapters()).containsExactly("a", "b");
      assertThat(tuned.activeAdapters()).containsExactly("b");
    }
  }

  private static List<Path> files(Path root) throws IOException {
    try (Stream<Path> all = Files.walk(root)) {
      return all.filter(Files::isRegularFile).toList();
    }
  }

  @Test
  void a_new_one_has_two_new_loras_that_are_trained_with_it() {
    assertThat(new XLora().summary()).isEqualTo("2 new LoRAs, classifier of depth 1");
  }
}
