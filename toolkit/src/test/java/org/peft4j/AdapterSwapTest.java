package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.export.Profile;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.onnx.AdaptedSession;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.OnnxAdapter;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.reparam.Lora;
import org.peft4j.reparam.LoraInit;
import org.peft4j.spi.Placement;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** One graph of a base in ONNX Runtime, and adapters that are chosen for each run. */
@Tag("fast")
class AdapterSwapTest {
  private static final Path BASES = Path.of("src/test/resources/golden/hf/base");

  @TempDir Path dir;
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  private static Pretrained load(String base) {
    return Models.load(BASES.resolve(base));
  }

  private static Tuned noisy(Tuned tuned) {
    Noise.on(tuned);
    return tuned;
  }

  private NDList inputs(Block model) {
    NDArray ids = manager.create(new long[][] {{4, 9, 11, 3, 0}, {8, 7, 0, 0, 0}});
    NDArray mask = manager.create(new long[][] {{1, 1, 1, 1, 0}, {1, 1, 0, 0, 0}});
    Pretrained p = model instanceof Tuned t ? t.model() : (Pretrained) model;
    return p.inputNames().contains("token_type_ids")
        ? new NDList(ids, mask, ids.zerosLike())
        : new NDList(ids, mask);
  }

  private float[] djl(Block model) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open()) {
            return model
                .forward(new ParameterStore(manager, false), inputs(model), false)
                .head()
                .toFloatArray();
          }
        });
  }

  private Map<String, NDArray> feed(OnnxSession session, Pretrained model) {
    Map<String, NDArray> feed = new LinkedHashMap<>();
    NDList list = inputs(model);
    for (int i = 0; i < list.size(); i++) {
      feed.put(model.inputNames().get(i), list.get(i));
    }
    feed.keySet().retainAll(session.inputs().stream().map(v -> v.name()).toList());
    return feed;
  }

  private float[] ort(AdaptedSession session, Pretrained model) {
    return session
        .run(manager, feed(session.session(), model))
        .get(session.session().outputs().get(0).name())
        .toFloatArray();
  }

  private Path graph(Tuned tuned) {
    Path file = dir.resolve("graph.onnx");
    Onnx.withAdapters(tuned).cache(false).write(file).validate();
    return file;
  }

  private Path adapter(Tuned tuned, String name) {
    Path file = dir.resolve(name + ".onnx_adapter");
    Onnx.adapter(tuned, tuned.activeAdapters().get(0), file);
    return file;
  }

  private static double distance(float[] a, float[] b) {
    double most = 0;
    double largest = 0;
    for (int i = 0; i < a.length; i++) {
      most = Math.max(most, Math.abs(a[i] - b[i]));
      largest = Math.max(largest, Math.abs(b[i]));
    }
    assertThat(a).hasSameSizeAs(b);
    return most / largest;
  }

  @ParameterizedTest
  @ValueSource(strings = {"bert", "llama"})
  void adapters_of_any_rank_and_scale_are_swapped_on_one_session(String base) {
    try (Pretrained model = load(base);
        Tuned everywhere = Peft.lora(model).targets("all-linear").apply();
        OnnxSession plain = Onnx.of(model).cache(false).write(dir.resolve("plain.onnx")).session();
        OnnxSession session = OnnxSession.load(graph(everywhere), 1)) {
      List<Tuned> all =
          List.of(
              noisy(Peft.lora(model).rank(4).alpha(16).targets("q", "v").apply()),
              noisy(Peft.lora(model).rank(8).alpha(8).targets("all-linear").apply()),
              noisy(Peft.lora(model).rank(4).alpha(3).rsLora().targets("q").apply()),
              noisy(
                  Peft.lora(model)
                      .rank(2)
                      .rankPattern(base.equals("bert") ? "query" : "q_proj", 5)
                      .alphaPattern(base.equals("bert") ? "value" : "v_proj", 7)
                      .targets("q", "v")
                      .apply()),
              noisy(Peft.loraPlus(model).rank(3).targets("o").apply()),
              noisy(Peft.loraFa(model).rank(3).targets("o").apply()));
      float[] without = ort(plain.use(), model);
      // ONNX Runtime fuses a sum with the norm behind it, in another order where there is a place
      float[] open = ort(session.use(), model);
      assertThat(distance(open, without)).as("no adapter").isLessThan(1e-6);
      for (int i = 0; i < all.size(); i++) {
        session.adapter("a" + i, adapter(all.get(i), "a" + i));
      }
      assertThat(session.adapters()).hasSize(all.size());
      for (int round = 0; round < 2; round++) {
        for (int i = 0; i < all.size(); i++) {
          float[] there = ort(session.use("a" + i), model);
          assertThat(distance(there, djl(all.get(i)))).as("adapter %d", i).isLessThan(1e-5);
          assertThat(distance(there, without)).as("adapter %d acts", i).isGreaterThan(1e-3);
        }
        assertThat(ort(session.use(), model)).as("no adapter again").isEqualTo(open);
      }
      all.forEach(Tuned::close);
    }
  }

  @ParameterizedTest
  @EnumSource(Profile.class)
  void trained_adapters_are_run_when_places_are_written(Profile profile) {
    try (Pretrained model = load("llama");
        Tuned tuned = Peft.lora(model).rank(4).targets("q", "down").apply()) {
      Path file = dir.resolve("g.onnx");
      String untrained = Onnx.withAdapters(tuned).profile(profile).write(file).validate() + "";
      assertThat(untrained).contains("logits").doesNotContain("adapter default");
      noisy(tuned).disable();
      String trained = Onnx.withAdapters(tuned).profile(profile).write(file).validate() + "";
      assertThat(trained).contains("logits, adapter default", "left padding, adapter default");
      assertThat(tuned.activeAdapters()).containsExactly("default");
      assertThat(tuned.isEnabled()).isFalse();
    }
  }

  @Test
  void names_are_those_of_the_adapter_files_and_the_scale_is_in_b() throws Exception {
    try (Pretrained model = load("llama");
        Tuned tuned = noisy(Peft.lora(model).rank(4).alpha(6).targets("q", "down").apply())) {
      tuned.save(dir);
      OnnxAdapter written = OnnxAdapter.read(adapter(tuned, "a"));
      try (TensorSource hf = TensorSource.open(dir.resolve("adapter_model.safetensors"))) {
        String prefix = "base_model.model.";
        assertThat(written.tensors().stream().map(t -> prefix + t.name()))
            .containsExactlyInAnyOrderElementsOf(hf.names());
        for (OnnxAdapter.Tensor t : written.tensors()) {
          NDArray there = hf.load(prefix + t.name(), manager).transpose();
          boolean b = t.name().endsWith("lora_B.weight");
          assertThat(written.load(manager, t.name()).toFloatArray())
              .as(t.name())
              .isEqualTo((b ? there.mul(1.5f) : there).toFloatArray());
        }
      }
      Path first = dir.resolve("a.onnx_adapter");
      assertThat(adapter(tuned, "b")).hasSameBinaryContentAs(first);
    }
  }

  @Test
  void adapters_in_different_modules_act_together() {
    try (Pretrained model = load("bert");
        Tuned tuned = Peft.lora(model).rank(2).targets("q").apply()) {
      Lora other = new Lora(3, 9, 0, false, false, LoraInit.RANDOM, Map.of(), Map.of());
      tuned.add("v", other, Placement.DEFAULT.withTargets(List.of("v")), 1);
      tuned.add("again", other, Placement.DEFAULT.withTargets(List.of("v", "q")), 2);
      tuned.use("default", "v");
      Noise.on(tuned);
      try (OnnxSession session = OnnxSession.load(graph(tuned), 1)) {
        for (String name : tuned.adapters()) {
          Path file = dir.resolve(name);
          Onnx.adapter(tuned, name, file);
          session.adapter(name, file);
        }
        AdaptedSession both = session.use("default", "v");
        assertThat(distance(ort(both, model), djl(tuned))).isLessThan(1e-5);
        assertThat(distance(ort(session.use("v"), model), djl(tuned))).isGreaterThan(1e-3);
        assertThat(both.adapters()).containsExactly("default", "v");
        assertThat(both.toString()).contains("graph.onnx").endsWith(" with default, v");
        assertThatIllegalArgumentException()
            .isThrownBy(() -> session.use("v", "again"))
            .withMessageContaining("'v' and 'again'")
            .withMessageContaining("value.lora_A.weight");
        assertThatIllegalArgumentException().isThrownBy(() -> session.use("v", "v"));
        assertThatIllegalArgumentException()
            .isThrownBy(() -> session.use("w"))
            .withMessageContaining("there are: [default, v, again]");
        assertThatIllegalArgumentException()
            .isThrownBy(() -> session.adapter("v", dir.resolve("again")))
            .withMessageContaining("not in use yet");
      }
    }
  }

  @Test
  void adapters_end_with_their_session() {
    try (Pretrained model = load("bert");
        Tuned tuned = noisy(Peft.lora(model).rank(2).targets("q").apply())) {
      OnnxSession session = OnnxSession.load(graph(tuned), 1);
      AdaptedSession adapted = session.adapter("a", adapter(tuned, "a")).use("a");
      Map<String, NDArray> feed = feed(session, model);
      session.close();
      assertThatThrownBy(() -> session.use("a"))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("graph.onnx is closed");
      assertThatThrownBy(() -> session.adapter("b", dir.resolve("a.onnx_adapter")))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> adapted.run(manager, feed))
          .isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void new_heads_are_swapped_with_their_adapters() {
    try (Pretrained plain = load("bert_plain");
        Pretrained model = plain.classify(List.of("a", "b", "c"));
        Tuned one = noisy(Peft.lora(model).rank(2).targets("all-linear").apply());
        Tuned two = noisy(Peft.lora(model).rank(3).targets("q").apply());
        OnnxSession session = OnnxSession.load(graph(one), 1)) {
      assertThat(session.slots().modules()).contains("classifier");
      Map<String, Tuned> all = Map.of("one", one, "two", two);
      all.forEach((name, tuned) -> session.adapter(name, adapter(tuned, name)));
      all.forEach(
          (name, tuned) ->
              assertThat(distance(ort(session.use(name), model), djl(tuned)))
                  .as(name)
                  .isLessThan(1e-5));
      assertThat(distance(ort(session.use(), model), djl(model))).isLessThan(1e-5);
      try (Pretrained wider = plain.classify(List.of("a", "b", "c", "d"));
          Tuned tuned = noisy(Peft.lora(wider).rank(2).targets("q").apply())) {
        assertThatIllegalArgumentException()
            .isThrownBy(() -> session.adapter("wider", adapter(tuned, "wider")))
            .withMessageContaining("classifier.weight")
            .withMessageContaining("another base");
      }
    }
  }

  @Test
  void what_does_not_fit_is_named_before_the_run() throws Exception {
    try (Pretrained model = load("bert");
        Pretrained llama = load("llama");
        Tuned tuned = noisy(Peft.lora(model).rank(2).targets("q").apply());
        Tuned more = noisy(Peft.lora(model).rank(2).targets("q", "v").apply());
        Tuned other = noisy(Peft.lora(llama).rank(2).targets("q").apply());
        OnnxSession plain = Onnx.of(model).cache(false).write(dir.resolve("plain.onnx")).session();
        OnnxSession session = OnnxSession.load(graph(tuned), 1)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> plain.adapter("a", adapter(tuned, "a")))
          .withMessageContaining("no places for adapters")
          .withMessageContaining("withAdapters");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> session.adapter("a", adapter(more, "more")))
          .withMessageContaining("more.onnx_adapter")
          .withMessageContaining("unknown: \"bert.encoder.layer.0.attention.self.value.lora_A")
          .withMessageContaining("such as bert.encoder.layer.0.attention.self.query");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> session.adapter("a", adapter(other, "other")))
          .withMessageContaining("unknown: \"model.layers.0.self_attn.q_proj.lora_A.weight\"")
          .withMessageContaining("made for another base");
      String module = session.slots().modules().get(0);
      String second = session.slots().modules().get(1);
      long width = Long.parseLong(session.slots().slots().get(0).inputs().get(0).dims().get(0));
      Path crooked = dir.resolve("crooked");
      OnnxAdapter.write(
          crooked,
          0,
          List.of(
              Initializer.of(module + ".lora_A.weight", manager.ones(new Shape(width, 2))),
              Initializer.of(module + ".lora_B.weight", manager.ones(new Shape(3, width))),
              Initializer.of(second + ".lora_B.weight", manager.ones(new Shape(width, 2)))));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> session.adapter("a", crooked))
          .withMessageContaining(
              "\"" + module + ".lora_r\" is 2 in \"" + module + ".lora_A.weight\" but 3")
          .withMessageContaining("missing: " + second + ".lora_A.weight")
          .withMessageContaining("\"" + second + ".lora_B.weight\" is float32");
      OnnxAdapter.write(
          crooked,
          0,
          List.of(
              Initializer.of(
                  module + ".lora_A.weight", manager.ones(new Shape(width, 2), DataType.FLOAT16)),
              Initializer.of(module + ".lora_B.weight", manager.ones(new Shape(2, width)))));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> session.adapter("a", crooked))
          .withMessageContaining("float16")
          .withMessageContaining("expected float32");
      assertThat(session.adapters()).isEmpty();
    }
  }

  @Test
  void what_is_no_plain_lora_is_refused_with_a_way_out() {
    try (Pretrained model = load("bert")) {
      List<Map.Entry<Tuned, String>> refused =
          List.of(
              Map.entry(Peft.dora(model).apply(), "found: dora"),
              Map.entry(Peft.ia3(model).apply(), "found: ia3"),
              Map.entry(Peft.prefixTuning(model).tokens(2).apply(), "found: prefix"),
              Map.entry(Peft.full(model).apply(), "found: full"),
              Map.entry(Peft.lora(model).loraBias().apply(), "lora_bias"),
              Map.entry(
                  Peft.lora(model).bias(Placement.Bias.LORA_ONLY).apply(), "it trains the bias"),
              Map.entry(Peft.lora(model).init(LoraInit.PISSA).apply(), "a base of its own"),
              Map.entry(Peft.lora(model).targets("embed").apply(), "kind EMBEDDING"));
      for (Map.Entry<Tuned, String> e : refused) {
        try (Tuned tuned = e.getKey()) {
          Path file = dir.resolve("x");
          assertThatIllegalArgumentException()
              .isThrownBy(() -> Onnx.adapter(tuned, "default", file))
              .withMessageContaining("'default'")
              .withMessageContaining(e.getValue())
              .withMessageContaining(
                  e.getValue().contains("prefix") ? "fix: use a LoRA" : "merge it");
          assertThatIllegalArgumentException()
              .isThrownBy(() -> Onnx.withAdapters(tuned).write(file))
              .withMessageContaining(e.getValue());
          assertThat(file).doesNotExist();
        }
      }
      try (Tuned untrained = Peft.lora(model).apply()) {
        assertThatIllegalArgumentException()
            .isThrownBy(() -> Onnx.adapter(untrained, "default", dir.resolve("x")))
            .withMessageContaining("does nothing");
      }
    }
  }

  /** The way out that the refusal of a shifted base names. */
  @Test
  void a_lora_on_a_base_of_its_own_is_swapped_as_one_of_twice_its_rank() {
    try (Pretrained model = load("bert");
        Tuned tuned = Peft.lora(model).rank(2).init(LoraInit.PISSA).targets("q").apply()) {
      Noise.on(tuned);
      float[] expected = djl(tuned);
      tuned.convertToLora("plain", 4);
      try (OnnxSession session =
          Onnx.withAdapters(tuned, "plain").write(dir.resolve("g.onnx")).session()) {
        session.adapter("a", adapter(tuned, "a"));
        assertThat(distance(ort(session.use("a"), model), expected)).isLessThan(1e-4);
      }
    }
  }

  @Test
  void two_threads_use_two_adapters_of_one_session() throws Exception {
    try (Pretrained model = load("bert");
        Tuned one = noisy(Peft.lora(model).rank(2).targets("q", "v").apply());
        Tuned two = noisy(Peft.lora(model).rank(3).targets("q", "v").apply());
        OnnxSession session = OnnxSession.load(graph(one), 1)) {
      session.adapter("one", adapter(one, "one")).adapter("two", adapter(two, "two"));
      ExecutorService threads = Executors.newFixedThreadPool(2);
      try {
        List<Future<Boolean>> done = new ArrayList<>();
        for (String name : List.of("one", "two")) {
          float[] expected = ort(session.use(name), model);
          done.add(
              threads.submit(
                  () -> {
                    AdaptedSession mine = session.use(name);
                    for (int i = 0; i < 50; i++) {
                      assertThat(distance(ort(mine, model), expected)).isLessThan(1e-6);
                    }
                    return true;
                  }));
        }
        for (Future<Boolean> d : done) {
          assertThat(d.get()).isTrue();
        }
      } finally {
        threads.shutdown();
      }
      assertThat(distance(ort(session.use("one"), model), djl(one))).isLessThan(1e-5);
    }
  }
}
