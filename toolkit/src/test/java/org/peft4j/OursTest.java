package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.adapter.Combination;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.LoraInit;
import org.peft4j.reparam.Velora;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/**
 * Adapter directories that peft4j wrote, committed with the outputs that Hugging Face PEFT gave on
 * them ({@code src/test/python/check_ours.py}). Every build writes them again and compares bytes,
 * and computes the outputs again. After a change of format: {@code java ... org.peft4j.OursTest
 * DIR} writes them anew, then the script checks them.
 */
@Tag("fast")
class OursTest {
  private static final List<String> SHAPES = List.of("bert", "llama", "gpt2", "t5");

  /** How an adapter is made, on which base. */
  private record Case(String base, Function<Pretrained, Tuned> make) {}

  private static Map<String, Case> cases() {
    Map<String, Case> all = new LinkedHashMap<>();
    all.put(
        "bert_lora",
        new Case("bert", m -> Peft.lora(m).rank(4).alpha(8).targets("q", "v").apply()));
    all.put(
        "bert_lora_patterns",
        new Case(
            "bert",
            m ->
                Peft.lora(m)
                    .rank(3)
                    .alpha(5)
                    .rsLora()
                    .dropout(0.1)
                    .targets("all-linear")
                    .rankPattern("layer.1.attention.self.query", 5)
                    .rankPattern("query", 2)
                    .alphaPattern("value", 7)
                    .apply()));
    all.put(
        "bert_lora_layers",
        new Case("bert", m -> Peft.lora(m).rank(2).targets("q", "fc2").layers(1).apply()));
    all.put(
        "bert_lora_bias_all",
        new Case("bert", m -> Peft.lora(m).rank(2).targets("q", "v").bias("all").apply()));
    all.put(
        "bert_lora_bias_only",
        new Case("bert", m -> Peft.lora(m).rank(2).targets("k", "o").bias("lora_only").apply()));
    all.put(
        "bert_lora_classifier",
        new Case(
            "bert", m -> Peft.lora(m).rank(2).targets("q").modulesToSave("classifier").apply()));
    all.put(
        "bert_lora_bias",
        new Case("bert", m -> Peft.lora(m).rank(2).targets("v", "fc1").loraBias().apply()));
    all.put(
        "bert_pissa",
        new Case("bert", m -> Peft.lora(m).rank(4).init(LoraInit.PISSA).targets("q", "v").apply()));
    all.put(
        "bert_olora",
        new Case("bert", m -> Peft.lora(m).rank(4).init(LoraInit.OLORA).targets("q", "v").apply()));
    all.put(
        "bert_embedding",
        new Case("bert", m -> Peft.lora(m).rank(3).targets("embed", "v").apply()));
    all.put(
        "bert_adalora",
        new Case("bert", m -> Peft.adalora(m).ranks(4, 2).targets("q", "v").apply()));
    all.put("bert_vera", new Case("bert", m -> Peft.vera(m).rank(8).targets("q", "v").apply()));
    all.put(
        "llama_lora", new Case("llama", m -> Peft.lora(m).rank(4).targets("all-linear").apply()));
    all.put(
        "llama_vera_seed",
        new Case(
            "llama",
            m ->
                Peft.vera(m)
                    .rank(8)
                    .projectionSeed(3)
                    .saveProjection(false)
                    .targets("q", "up")
                    .apply()));
    all.put(
        "llama_combined",
        new Case(
            "llama",
            m -> {
              Tuned t = Peft.lora(m).rank(2).targets("q", "v").seed(1).apply();
              fill(t, 1);
              Peft.lora(t).named("b").rank(3).rsLora().targets("v", "up").seed(2).apply();
              fill(t, 2);
              t.combine("c", Map.of("default", 0.7, "b", -0.4), Combination.cat());
              return t.delete("default").delete("b");
            }));
    all.put(
        "bert_dora",
        new Case("bert", m -> Peft.dora(m).rank(4).rsLora().targets("q", "v").apply()));
    all.put("bert_glora", new Case("bert", m -> Peft.glora(m).rank(3).targets("q", "fc1").apply()));
    all.put("bert_ia3", new Case("bert", m -> Peft.ia3(m).apply()));
    all.put("llama_ia3", new Case("llama", m -> Peft.ia3(m).apply()));
    all.put("bert_ln_tuning", new Case("bert", m -> Peft.lnTuning(m).apply()));
    all.put(
        "bert_lora_fa", new Case("bert", m -> Peft.loraFa(m).rank(4).targets("q", "v").apply()));
    all.put("llama_loha", new Case("llama", m -> Peft.loha(m).rank(3).targets("q", "up").apply()));
    all.put(
        "llama_lokr",
        new Case("llama", m -> Peft.lokr(m).rank(1).decomposeBoth().targets("q", "up").apply()));
    all.put(
        "llama_sbora", new Case("llama", m -> Peft.sboraFa(m).rank(4).targets("q", "v").apply()));
    all.put("llama_longlora", new Case("llama", m -> Peft.longLora(m).rank(4).apply()));
    all.put(
        "llama_dora", new Case("llama", m -> Peft.dora(m).rank(4).targets("all-linear").apply()));
    all.put(
        "bert_prompt",
        new Case("bert", m -> Peft.promptTuning(m).tokens(4).modulesToSave("classifier").apply()));
    all.put("llama_prompt", new Case("llama", m -> Peft.promptTuning(m).tokens(4).apply()));
    all.put("llama_prefix", new Case("llama", m -> Peft.prefixTuning(m).tokens(3).apply()));
    all.put(
        "llama_prefix_projected",
        new Case("llama", m -> Peft.prefixTuning(m).tokens(3).projection(8).apply()));
    all.put(
        "bert_tokens", new Case("bert", m -> Peft.trainableTokens(m).tokens(23, 7, 40).apply()));
    all.put(
        "llama_lora_tokens",
        new Case("llama", m -> Peft.lora(m).rank(2).targets("q").trainableTokens(63, 5).apply()));
    all.put(
        "llama_tied_lora_tokens",
        new Case(
            "llama_tied", m -> Peft.lora(m).rank(2).targets("q").trainableTokens(12, 5).apply()));
    all.put(
        "llama_tied_tokens",
        new Case("llama_tied", m -> Peft.trainableTokens(m).tokens(12, 5, 33).apply()));
    all.put(
        "llama_tied_embedding",
        new Case("llama_tied", m -> Peft.lora(m).rank(3).targets("embed", "q").apply()));
    gpt2AndT5(all);
    SHAPES.forEach(s -> everyMethod(s).forEach((n, c) -> all.putIfAbsent(s + "_" + n, c)));
    return all;
  }

  private static void gpt2AndT5(Map<String, Case> all) {
    all.put(
        "gpt2_lora_all",
        new Case("gpt2", m -> Peft.lora(m).rank(2).rsLora().targets("all-linear").apply()));
    all.put(
        "gpt2_lora_bias_all",
        new Case("gpt2", m -> Peft.lora(m).rank(2).targets("fc1").bias("all").apply()));
    all.put(
        "gpt2_lora_bias_only",
        new Case("gpt2", m -> Peft.lora(m).rank(2).targets("o").bias("lora_only").apply()));
    all.put(
        "gpt2_lora_bias",
        new Case("gpt2", m -> Peft.lora(m).rank(2).targets("fc2").loraBias().apply()));
    all.put(
        "gpt2_embedding",
        new Case("gpt2", m -> Peft.lora(m).rank(2).targets("wte", "wpe").apply()));
    all.put("gpt2_tokens", new Case("gpt2", m -> Peft.trainableTokens(m).tokens(11, 6).apply()));
    all.put(
        "gpt2_head",
        new Case("gpt2_untied", m -> Peft.lora(m).rank(2).targets("head", "c_attn").apply()));
    all.put(
        "gpt2_save",
        new Case(
            "gpt2", m -> Peft.dora(m).rank(2).targets("c_attn").modulesToSave("ln_f").apply()));
    all.put("gpt2_ia3_attention", new Case("gpt2", m -> Peft.ia3(m).targets("c_attn").apply()));
    all.put(
        "t5_lora_patterns",
        new Case(
            "t5",
            m ->
                Peft.lora(m)
                    .rank(3)
                    .targets("all-linear")
                    .rankPattern("decoder.block.1.layer.1.EncDecAttention.q", 4)
                    .rankPattern("q", 2)
                    .alphaPattern("wo", 7)
                    .apply()));
    all.put(
        "t5_lora_layers",
        new Case("t5", m -> Peft.lora(m).rank(2).targets("k", "fc2").layers(1).apply()));
    all.put(
        "t5_positions",
        new Case("t5", m -> Peft.lora(m).rank(2).targets("relative_attention_bias").apply()));
    all.put(
        "t5_save",
        new Case(
            "t5",
            m -> Peft.lokr(m).rank(2).targets("q").modulesToSave("final_layer_norm").apply()));
    all.put(
        "t5_gated_dora",
        new Case("t5_gated", m -> Peft.dora(m).rank(2).rsLora().targets("all-linear").apply()));
    all.put(
        "t5_gated_head",
        new Case("t5_gated", m -> Peft.lora(m).rank(2).alpha(1).targets("head", "up").apply()));
  }

  /**
   * Every method that Hugging Face has a type for, but AsyLoRA, whose A no two machines compute
   * alike, and FRoD, half of whose basis Hugging Face takes from a file and half from its own.
   */
  private static Map<String, Case> everyMethod(String shape) {
    boolean fused = shape.equals("gpt2");
    String[] some = fused ? new String[] {"c_attn"} : new String[] {"q", "v"};
    // Hugging Face has some for linear layers only: in GPT-2, the head
    String[] linear = fused ? new String[] {"head"} : some;
    String base = fused ? "gpt2_untied" : shape;
    Map<String, Case> all = new LinkedHashMap<>();
    all.put("lora", new Case(shape, m -> Peft.lora(m).rank(3).targets(some).apply()));
    all.put("lora_plus", new Case(shape, m -> Peft.loraPlus(m).rank(2).targets(some).apply()));
    all.put("lora_fa", new Case(shape, m -> Peft.loraFa(m).rank(2).targets(some).apply()));
    all.put("sbora", new Case(shape, m -> Peft.sboraFa(m).rank(3).targets(some).apply()));
    all.put("sbora_fb", new Case(shape, m -> Peft.sboraFb(m).rank(3).targets(some).apply()));
    all.put("kasa", new Case(base, m -> Peft.kasa(m).rank(1).targets(linear).apply()));
    all.put("mica", new Case(shape, m -> Peft.mica(m).rank(3).targets(some).apply()));
    all.put("bdlora", new Case(base, m -> Peft.bdLora(m).rank(4).targets(linear).apply()));
    all.put(
        "velora",
        new Case(
            shape,
            m ->
                Peft.velora(m)
                    .rank(2)
                    .groups(5)
                    .vector(Velora.Vector.BATCH_AVERAGE_ONCE)
                    .targets(some)
                    .apply()));
    all.put(
        "monteclora",
        new Case(shape, m -> Peft.monteClora(m).rank(2).samples(3, 1e-3).targets(some).apply()));
    if (shape.equals("llama") || fused) { // Hugging Face has it in causal language models alone
      int[] tokens = fused ? new int[] {42} : new int[] {7, 8};
      all.put("alora", new Case(shape, m -> Peft.alora(m, tokens).rank(2).targets(some).apply()));
    }
    all.put("dora", new Case(shape, m -> Peft.dora(m).rank(3).targets(some).apply()));
    all.put("adalora", new Case(shape, m -> Peft.adalora(m).ranks(3, 2).targets(some).apply()));
    all.put("vera", new Case(shape, m -> Peft.vera(m).rank(4).targets(some).apply()));
    all.put("ia3", new Case(shape, m -> Peft.ia3(m).apply()));
    all.put("ln_tuning", new Case(shape, m -> Peft.lnTuning(m).apply()));
    all.put("loha", new Case(base, m -> Peft.loha(m).rank(2).targets(linear).apply()));
    all.put("lokr", new Case(base, m -> Peft.lokr(m).rank(2).targets(linear).apply()));
    all.put("glora", new Case(base, m -> Peft.glora(m).rank(2).targets(linear).apply()));
    all.put("oft", new Case(base, m -> Peft.oft(m).blockSize(8).targets(linear).apply()));
    all.put("boft", new Case(base, m -> Peft.boft(m).targets(linear).apply()));
    all.put("hra", new Case(base, m -> Peft.hra(m).rank(4).targets(linear).apply()));
    all.put(
        "fourierft", new Case(shape, m -> Peft.fourierFt(m).frequencies(50).targets(some).apply()));
    all.put(
        "waveft",
        new Case(shape, m -> Peft.waveFt(m).frequencies(50).scale(4).targets(some).apply()));
    all.put("hira", new Case(shape, m -> Peft.hira(m).rank(2).targets(some).apply()));
    all.put("miss", new Case(base, m -> Peft.miss(m).rank(5).targets(linear).apply()));
    all.put("shira", new Case(base, m -> Peft.shira(m).rank(1).targets(linear).apply()));
    all.put("c3a", new Case(base, m -> Peft.c3a(m).targets(linear).apply()));
    all.put("vblora", new Case(shape, m -> Peft.vbLora(m).vectors(9).targets(some).apply()));
    all.put("road", new Case(base, m -> Peft.road(m).targets(linear).apply()));
    all.put("delora", new Case(base, m -> Peft.deLora(m).rank(2).targets(linear).apply()));
    all.put(
        "gralora",
        new Case(shape, m -> Peft.graLora(m).rank(4).alpha(6).hybridRank(1).targets(some).apply()));
    all.put("pvera", new Case(shape, m -> Peft.pvera(m).rank(3).targets(some).apply()));
    all.put(
        "randlora", new Case(shape, m -> Peft.randLora(m).rank(16).alpha(9).targets(some).apply()));
    all.put("beft", new Case(base, m -> Peft.beft(m).targets(linear).apply()));
    all.put(
        "supertuning",
        new Case(base, m -> Peft.superTuning(m).sparsity(0.9).targets(linear).apply()));
    all.put("deft", new Case(shape, m -> Peft.deft(m).rank(3).targets(some).apply()));
    all.put("peanut", new Case(base, m -> Peft.peanut(m).rank(3).depth(1).targets(linear).apply()));
    all.put("tinylora", new Case(shape, m -> Peft.tinyLora(m).numbers(9).targets(some).apply()));
    all.put(
        "unilora", new Case(shape, m -> Peft.uniLora(m).rank(2).numbers(99).targets(some).apply()));
    all.put(
        "adamss",
        new Case(
            base, m -> Peft.adamss(m).directions(8).clusters(3).rank(2).targets(linear).apply()));
    all.put("osf", new Case(base, m -> Peft.osf(m).keep(0.75).targets(linear).apply()));
    all.put("psoft", new Case(base, m -> Peft.psoft(m).rank(5).targets(linear).apply()));
    if (shape.equals("llama")) { // Hugging Face reads it in no others
      all.put("xlora", new Case(shape, OursTest::xlora));
    }
    // Hugging Face wants a classifier in the file of a prompt
    String[] save = shape.equals("bert") ? new String[] {"classifier"} : new String[0];
    all.put(
        "poly",
        new Case(
            base, m -> Peft.poly(m).rank(3).splits(2).targets(linear).modulesToSave(save).apply()));
    all.put(
        "lily",
        new Case(
            base,
            m ->
                Peft.lily(m)
                    .rank(3)
                    .stride(2)
                    .experts(3)
                    .targets(linear)
                    .modulesToSave(save)
                    .apply()));
    all.put(
        "prompt", new Case(shape, m -> Peft.promptTuning(m).tokens(3).modulesToSave(save).apply()));
    if (!shape.equals(
        "t5")) { // whose decoder Hugging Face has virtual tokens for in training alone
      all.put(
          "multitask",
          new Case(
              shape,
              m -> Peft.multitaskPromptTuning(m).tokens(3).ranks(2).modulesToSave(save).apply()));
    }
    if (shape.equals("llama") || fused) { // Hugging Face has it in causal language models alone
      all.put(
          "adaption", new Case(shape, m -> Peft.adaptionPrompt(m).tokens(3).lastLayers(1).apply()));
      all.put(
          "cpt",
          new Case(
              shape,
              m ->
                  Peft.cpt(m)
                      .tokens(List.of(5, 9, 4, 7), List.of(1, 2, 3, 4))
                      .decay(0.9)
                      .bounds(3, 2)
                      .apply()));
    }
    if (!shape.equals("t5")) { // which has two stacks
      all.put("shadow", new Case(shape, m -> Peft.shadow(m).rank(3).modulesToSave(save).apply()));
      all.put(
          "shadow_small",
          new Case(
              shape,
              m ->
                  Peft.shadow(m)
                      .rank(3)
                      .mirror(2, 8, 2, 12)
                      .updateSize(5)
                      .layers(1)
                      .modulesToSave(save)
                      .apply()));
    }
    all.put(
        "ptuning",
        new Case(shape, m -> Peft.pTuning(m).tokens(3).width(5).modulesToSave(save).apply()));
    all.put(
        "cartridge",
        new Case(shape, m -> Peft.cartridge(m).tokens(4).frozen(2).modulesToSave(save).apply()));
    all.put(
        "prefix", new Case(shape, m -> Peft.prefixTuning(m).tokens(3).modulesToSave(save).apply()));
    return all;
  }

  private static Tuned xlora(Pretrained m) {
    Tuned tuned = Peft.lora(m).rank(2).targets("q", "v").named("a").apply();
    fill(tuned, 1);
    Peft.lora(tuned).rank(3).alpha(5).targets("q", "up").named("b").apply();
    fill(tuned, 2);
    return Peft.xlora(tuned, "a", "b").depth(2).size(4).layerwise().apply();
  }

  /**
   * Gives the active adapter's trainable tensors values that do something and that no machine
   * computes differently.
   */
  private static void fill(Tuned tuned, long seed) {
    tuned
        .trainable()
        .forEach(
            (name, p) -> {
              Seed place = Seed.of(seed).at(name.substring(name.indexOf(':') + 1));
              Buffers.copy(
                  place.normal(p.getArray().getManager(), p.getShape(), 0.3), p.getArray());
            });
  }

  private static Path golden(String name) {
    try {
      return Path.of(OursTest.class.getResource("/golden/hf/index.json").toURI())
          .getParent()
          .getParent()
          .resolve(name);
    } catch (Exception e) {
      throw new IllegalStateException("golden files are missing", e);
    }
  }

  private static Tuned make(String name, Case c, Pretrained base) {
    Tuned tuned = c.make.apply(base);
    if (!name.endsWith("_combined")) {
      fill(tuned, name.hashCode());
    }
    return tuned;
  }

  /** All cases, or those that {@code -Dgolden=REGEX} names. */
  private static Stream<Map.Entry<String, Case>> chosen() {
    String some = System.getProperty("golden", ".*");
    return cases().entrySet().stream().filter(e -> e.getKey().matches(some));
  }

  /** Writes the adapters into a directory. */
  public static void main(String[] args) throws IOException {
    for (Map.Entry<String, Case> e : chosen().toList()) {
      Path dir = Path.of(args[0]).resolve(e.getKey());
      try (Pretrained base = Models.load(golden("hf/base/" + e.getValue().base));
          Tuned tuned = make(e.getKey(), e.getValue(), base)) {
        write(tuned, dir);
        Files.writeString(
            dir.resolve("case.json"), Json.format(Map.of("base", e.getValue().base)) + "\n");
        for (String card : List.of("README.md", "0/README.md", "1/README.md")) {
          Files.deleteIfExists(dir.resolve(card));
        }
      }
    }
    System.exit(0);
  }

  /** Without it Hugging Face leaves virtual tokens out, and the tasks of texts. */
  private static String task(Tuned tuned) {
    return switch (tuned.model().task()) {
      case CAUSAL_LM -> "CAUSAL_LM";
      case SEQ2SEQ_LM -> "SEQ_2_SEQ_LM";
      default -> "SEQ_CLS";
    };
  }

  private static void write(Tuned tuned, Path dir) {
    String name = tuned.activeAdapters().get(0);
    Path parent = name.equals("default") ? dir : dir.resolve("..").normalize();
    boolean plain = tuned.isMergeable() && !tuned.method(name).name().equals("poly");
    tuned.save(parent, null, plain ? null : task(tuned), name);
    if (!name.equals("default")) {
      try {
        for (String f : List.of("adapter_config.json", "adapter_model.safetensors")) {
          Files.createDirectories(dir);
          Files.move(
              parent.resolve(name).resolve(f),
              dir.resolve(f),
              java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        }
        Files.deleteIfExists(parent.resolve(name).resolve("README.md"));
        Files.deleteIfExists(parent.resolve(name));
      } catch (IOException e) {
        throw new java.io.UncheckedIOException(e);
      }
    }
  }

  @TestFactory
  Stream<DynamicTest> what_we_write_is_what_hugging_face_reads(@TempDir Path dir) {
    return chosen()
        .map(e -> DynamicTest.dynamicTest(e.getKey(), () -> check(e.getKey(), e.getValue(), dir)));
  }

  private void check(String name, Case c, Path dir) throws IOException {
    Path committed = golden("ours").resolve(name);
    try (Pretrained base = Models.load(golden("hf/base/" + c.base));
        Tuned tuned = make(name, c, base)) {
      write(tuned, dir.resolve(name));
      assertThat(dir.resolve(name).resolve("adapter_config.json"))
          .hasSameBinaryContentAs(committed.resolve("adapter_config.json"));
      Path tensors = dir.resolve(name).resolve("adapter_model.safetensors");
      if (name.matches(".*_(projected|ptuning|delora)")) { // processors differ in a bit
        assertNear(tensors, committed.resolve("adapter_model.safetensors"));
      } else if (!name.matches(
          ".*_(tinylora|mica|psoft|adamss)")) { // singular vectors: processors differ in the sign
        assertThat(tensors).hasSameBinaryContentAs(committed.resolve("adapter_model.safetensors"));
      }
      if (!name.matches(".*_(tinylora|mica|psoft|adamss)")) {
        compare(tuned, base, c.base, committed);
      }
      try (Tuned read = Peft.load(base, committed)) {
        compare(read, base, c.base, committed);
      }
    }
  }

  private static void assertNear(Path file, Path expected) throws IOException {
    try (NDManager m = Torch.newManager();
        TensorSource a = Safetensors.open(file);
        TensorSource b = Safetensors.open(expected)) {
      assertThat(a.names()).isEqualTo(b.names());
      for (String n : b.names()) {
        assertThat(a.load(n, m).sub(b.load(n, m)).abs().max().getFloat()).as(n).isLessThan(1e-6f);
      }
    }
  }

  private static void compare(Tuned tuned, Pretrained base, String baseName, Path committed)
      throws IOException {
    try (NDManager m = Torch.newManager();
        TensorSource io = Safetensors.open(golden("hf/base/" + baseName + "/io.safetensors"));
        TensorSource hf = Safetensors.open(committed.resolve("hf_logits.safetensors"))) {
      List<String> names = new ArrayList<>(base.inputNames());
      names.retainAll(io.names());
      List<NDArray> in = new ArrayList<>();
      for (String n : names) {
        in.add(io.load(n, m));
      }
      NDList out =
          Torch.inference(() -> tuned.forward(new ParameterStore(m, false), new NDList(in), false));
      NDArray difference = out.get(0).sub(hf.load("logits", m)).abs();
      boolean decoded = names.contains("decoder_input_ids"); // all of them are text
      if (difference.getShape().dimension() == 3 && !decoded) {
        difference = difference.mul(in.get(1).toType(DataType.FLOAT32, false).expandDims(2));
      }
      assertThat(difference.max().getFloat()).as("against Hugging Face's logits").isLessThan(1e-5f);
    }
  }
}
