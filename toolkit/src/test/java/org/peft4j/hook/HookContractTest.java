package org.peft4j.hook;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.peft4j.adapter.Methods;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Attending;
import org.peft4j.spi.Context;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Init;
import org.peft4j.spi.KeysValues;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Method;
import org.peft4j.spi.Mirror;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Parameters;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Place;
import org.peft4j.spi.Site;
import org.peft4j.spi.Sublayer;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/** What every hook promises, in every variant, without a model around it. */
@Tag("fast")
class HookContractTest {
  private static final int TEXTS = 2;
  private static final int LENGTH = 3;
  private static final int HIDDEN = 64;

  /** A hook's options beside its defaults. */
  private static List<Hook> variants(Method method) {
    List<Hook> all = new ArrayList<>();
    all.add((Hook) method.standard());
    if (method.standard() instanceof PromptTuning) {
      all.add(new PromptTuning(3, PromptTuning.Start.SAMPLE_VOCAB, null));
      all.add(
          new PromptTuning(
              3,
              PromptTuning.Start.TEXT,
              new PromptTuning.Text("two words", "a model", List.of(7L, 4L))));
    }
    if (method.standard() instanceof MultitaskPromptTuning) {
      all.add(new MultitaskPromptTuning(new PromptTuning().withTokens(3), 1, 4));
    }
    if (method.standard() instanceof Cpt) {
      all.add(new Cpt(List.of(7, 4, 9, 2), List.of(1, 2, 3, 4), 0.5, 0.2, 0.3));
    }
    if (method.standard() instanceof PTuning) {
      all.add(new PTuning(3, 5, true));
    }
    if (method.standard() instanceof PrefixTuning) {
      all.add(new PrefixTuning(3, 5, false));
      all.add(new PrefixTuning(3, 0, true));
    }
    if (method.standard() instanceof AdaptionPrompt) {
      all.add(new AdaptionPrompt(3, 1));
    }
    if (method.standard() instanceof Cartridge) {
      all.add(new Cartridge(3, 2));
    }
    if (method.standard() instanceof Shadow) {
      all.add(new Shadow(new Shadow.Each(3, 0.7, 0, 4), new Mirror.Size(2, 5, 0, 0), true, 0));
      all.add(new Shadow(new Shadow.Each(3, 0.7, 0, 0), new Mirror.Size(1, 0, 0, 0), false, 0.5));
    }
    if (method.standard() instanceof Pfeiffer) {
      all.add(new Pfeiffer(4, "gelu", 2, 0));
      all.add(new Pfeiffer(2, "silu", 1, 0));
    }
    return all;
  }

  @TestFactory
  Stream<DynamicNode> every_registered_hook() {
    return Hooks.all().stream()
        .flatMap(m -> variants(m).stream())
        .map(
            hook ->
                DynamicContainer.dynamicContainer(
                    hook.toString(),
                    Stream.of(
                        DynamicTest.dynamicTest("gradients reach all of theta", () -> reach(hook)),
                        DynamicTest.dynamicTest(
                            "gradients equal finite differences", () -> differences(hook)),
                        DynamicTest.dynamicTest(
                            "first values depend on the seed alone", () -> seeded(hook)),
                        DynamicTest.dynamicTest(
                            "configuration survives the file", () -> config(hook)),
                        DynamicTest.dynamicTest("the file has what acts", () -> filed(hook)))));
  }

  private static void reach(Hook hook) {
    try (Case c = new Case(hook, DataType.FLOAT64)) {
      c.perturb();
      c.backward();
      c.theta.forEach(
          (name, value) -> {
            if (c.trained.contains(name)) {
              assertThat(value.getGradient().abs().max().getDouble()).as(name).isPositive();
            }
          });
    }
  }

  private static void differences(Hook hook) {
    try (Case c = new Case(hook, DataType.FLOAT64)) {
      c.perturb();
      c.backward();
      Map<String, NDArray> gradients = new HashMap<>();
      c.theta.forEach((name, value) -> gradients.put(name, value.getGradient().duplicate()));
      c.theta.values().forEach(v -> v.setRequiresGradient(false));
      double h = 1e-5;
      c.theta.forEach(
          (name, value) -> {
            NDArray direction = c.random("direction " + name, value.getShape());
            value.addi(direction.mul(h));
            double up = c.loss().getDouble();
            value.subi(direction.mul(2 * h));
            double down = c.loss().getDouble();
            value.addi(direction.mul(h));
            double expected = (up - down) / (2 * h);
            double actual =
                Objects.requireNonNull(gradients.get(name)).mul(direction).sum().getDouble();
            assertThat(Math.abs(actual - expected))
                .as(name)
                .isLessThan(1e-6 * (1 + Math.abs(expected)));
          });
    }
  }

  private static void seeded(Hook hook) {
    try (Case a = new Case(hook, DataType.FLOAT32);
        Case b = new Case(hook, DataType.FLOAT32)) {
      a.theta.forEach(
          (name, value) ->
              assertThat(Objects.requireNonNull(b.theta.get(name)).toFloatArray())
                  .as(name)
                  .isEqualTo(value.toFloatArray()));
    }
  }

  private static void config(Hook hook) {
    Map<String, Object> config = new LinkedHashMap<>();
    hook.toConfig().forEach((k, v) -> config.put(k, v == Entries.NULL ? null : v));
    Entries entries = new Entries("adapter_config.json", config);
    Hook read = (Hook) Methods.byPeftType(hook.peftType()).read().apply(entries);
    assertThat(read.toConfig()).isEqualTo(hook.toConfig());
    assertThat(read.summary()).isEqualTo(hook.summary());
    entries.requireAllRead();
  }

  /** The hook of the file, with the tensors of the file, does the same. */
  private static void filed(Hook hook) {
    try (Case c = new Case(hook, DataType.FLOAT64)) {
      c.perturb();
      double expected = c.loss().getDouble();
      Hook filed = hook.filed();
      Declaration theta = new Declaration();
      filed.declare(c.anatomy, theta);
      Map<String, NDArray> restored = new LinkedHashMap<>();
      for (Declaration.Entry e : theta.entries()) {
        if (!e.role().isFiled()) {
          restored.put(e.name(), c.first(e, restored));
          continue;
        }
        NDArray stored = hook.stored(c.view(c.theta), e.name());
        assertThat(stored.getShape()).isEqualTo(filed.filedShape(c.anatomy, e));
        restored.put(e.name(), filed.restored(c.anatomy, e, stored));
      }
      assertThat(c.loss(filed, restored).getDouble())
          .isCloseTo(expected, org.assertj.core.data.Offset.offset(1e-12));
      assertThat(Math.abs(expected - c.loss(new Nothing(), Map.of()).getDouble()))
          .as("it acts")
          .isGreaterThan(1e-3);
    }
  }

  /** A hook that leaves everything as it is. */
  private record Nothing() implements Hook {
    @Override
    public String name() {
      return "nothing";
    }

    @Override
    public String peftType() {
      return "NOTHING";
    }

    @Override
    public Map<String, Object> toConfig() {
      return Map.of();
    }

    @Override
    public String summary() {
      return "";
    }

    @Override
    public void declare(Anatomy model, Declaration theta) {}
  }

  /** A pass over one text, in which what was made once is known from then on. */
  private static final class Remembering extends Pass {
    final Map<String, NDArray> known = new HashMap<>();

    Remembering(ParameterStore values) {
      super(values, false);
    }

    @Override
    public NDArray once(String name, Supplier<NDArray> make) {
      if (!known.containsKey(name)) {
        known.put(name, make.get());
      }
      return Objects.requireNonNull(known.get(name));
    }

    @Override
    public NDArray apply(Frozen frozen, NDArray x) {
      return frozen.apply(this, x, frozen.bias(this));
    }

    @Override
    public Weight effective(Frozen frozen) {
      return new Weight(frozen.weight(this), frozen.bias(this));
    }

    @Override
    public Seed seed() {
      return Seed.of(0);
    }
  }

  /** A smaller stack whose layers are matrices. */
  private record Chain(Size size) implements Mirror {
    @Override
    public int hidden() {
      return size.hidden() == 0 ? HIDDEN : size.hidden();
    }

    @Override
    public Map<String, Shape> tensors() {
      Map<String, Shape> all = new LinkedHashMap<>();
      all.put(embeddings(), new Shape(11, hidden()));
      for (int i = 0; i < size.layers(); i++) {
        all.put("layers." + i, new Shape(hidden(), hidden()));
      }
      return all;
    }

    @Override
    public String embeddings() {
      return "words";
    }

    @Override
    public Init init(String tensor) {
      return Init.normal(0.1);
    }

    @Override
    public boolean isTransposed(String tensor) {
      return tensor.startsWith("layers");
    }

    @Override
    public boolean isSpare(String tensor) {
      return false;
    }

    @Override
    public NDArray encode(
        Anatomy model, Pass pass, Function<String, @Nullable NDArray> theta, Context context) {
      NDArray own = theta.apply(embeddings());
      NDArray x =
          own == null
              ? pass.apply(model.embeddings(), context.ids())
              : Operation.EMBEDDING.apply(context.ids(), own, null);
      for (int i = 0; i < size.layers(); i++) {
        NDArray w = Objects.requireNonNull(theta.apply("layers." + i));
        x = Operation.LINEAR.apply(x.toType(w.getDataType(), false), w, null);
      }
      return x;
    }
  }

  /** A hook at every place of a two-layer model with grouped keys. */
  private static final class Case implements AutoCloseable {
    final NDManager manager = Torch.newManager();
    final DataType type;
    final Hook hook;
    final Anatomy anatomy;
    final Map<String, NDArray> theta = new LinkedHashMap<>();
    final Set<String> trained = new HashSet<>();
    private final Remembering pass = new Remembering(new ParameterStore(manager, false));

    Case(Hook hook, DataType type) {
      this.hook = hook;
      this.type = type;
      NDArray words = Seed.of(5).normal(manager, new Shape(11, HIDDEN), 1);
      Parameter weight =
          Parameter.builder()
              .setName("weight")
              .setType(Parameter.Type.WEIGHT)
              .optShape(words.getShape())
              .optInitializer((m, s, t) -> words)
              .build();
      weight.initialize(manager, DataType.FLOAT32);
      Dense embeddings = new Dense(weight, null, Operation.EMBEDDING);
      List<String> paths = List.of("layers.0", "layers.1");
      anatomy =
          new Anatomy(HIDDEN, 2, 4, 2, 2, 1, embeddings, paths)
              .of(projections(paths))
              .mirroredBy(Chain::new);
      Declaration declared = new Declaration();
      hook.declare(anatomy, declared);
      for (Declaration.Entry e : declared.entries()) {
        theta.put(e.name(), first(e, theta));
        if (e.role().isTrained()) {
          trained.add(e.name());
        }
      }
    }

    /** Those of keys and values. */
    private List<Site> projections(List<String> layers) {
      return layers.stream()
          .flatMap(
              layer ->
                  Stream.of("k", "v")
                      .map(
                          role -> {
                            String path = layer + ".attn." + role + "_proj";
                            NDArray w = random(path, new Shape(4, HIDDEN)).mul(0.1);
                            Parameter p = Parameters.of(path, Parameter.Type.WEIGHT, w, false);
                            Dense frozen = new Dense(p, null, Operation.LINEAR);
                            return new Site(path, Kind.LINEAR, role, Site.layerOf(path), frozen);
                          }))
          .toList();
    }

    NDArray first(Declaration.Entry e, Map<String, NDArray> shared) {
      NDArray value = e.init().make(new Start(Seed.of(1).at(e.name()), shared), e.shape());
      assertThat(value.getShape()).isEqualTo(e.shape());
      return value.duplicate().toType(type, false);
    }

    private final class Start implements Init.Context {
      private final Seed seed;
      private final Map<String, NDArray> shared;

      Start(Seed seed, Map<String, NDArray> shared) {
        this.seed = seed;
        this.shared = shared;
      }

      @Override
      public NDArray shared(String name) {
        return Objects.requireNonNull(shared.get(name), name);
      }

      @Override
      public NDManager manager() {
        return manager;
      }

      @Override
      public Seed seed() {
        return seed;
      }

      @Override
      public NDArray w0() {
        return anatomy.embeddings().weight(pass);
      }

      @Override
      public NDArray b0() {
        throw new UnsupportedOperationException();
      }

      @Override
      public <T> T once(String name, Supplier<T> value) {
        return value.get();
      }
    }

    NDArray random(String name, Shape shape) {
      return Seed.of(9).at(name).normal(manager, shape, 1).toType(type, false);
    }

    void perturb() {
      theta.forEach((name, value) -> value.addi(random(name, value.getShape()).mul(0.3)));
    }

    Hook.View view(Map<String, NDArray> values) {
      return new Hook.View(anatomy, pass, values::get);
    }

    NDArray loss() {
      return loss(hook, theta);
    }

    /** A number that depends on all that the hook does. */
    NDArray loss(Hook h, Map<String, NDArray> values) {
      Hook.View view = view(values);
      NDArray ids = manager.ones(new Shape(TEXTS, LENGTH), DataType.INT64);
      Context context = new Context(ids, null, null);
      pass.known.clear();
      NDArray x = h.embeddings(view, context, random("x", new Shape(TEXTS, LENGTH, HIDDEN)));
      x = h.entering(view, context, x);
      NDArray loss = weighed("embeddings", x);
      for (int layer = 0; layer < 2; layer++) {
        Place at = new Place("layers." + layer, layer, Place.Part.SELF_ATTENTION);
        Shape keys = new Shape(TEXTS, 2, LENGTH, 2);
        KeysValues kv =
            h.keysValues(view, context, at, new KeysValues(random("k", keys), random("v", keys)));
        loss = loss.add(weighed("keys" + layer, kv.keys()));
        loss = loss.add(weighed("values" + layer, kv.values()));
        NDArray q = random("q", new Shape(TEXTS, 2, LENGTH, 2));
        Attending a = new Attending(q, kv.keys(), kv.values(), null, 1, null);
        NDArray attended = h.attention(view, context, at, a);
        loss = attended == null ? loss : loss.add(weighed("attention" + layer, attended));
        for (Place.Part part : List.of(Place.Part.SELF_ATTENTION, Place.Part.FEED_FORWARD)) {
          Shape shape = new Shape(TEXTS, LENGTH, HIDDEN);
          Sublayer s =
              new Sublayer(random("output", shape), random("residual", shape), NDArray::tanh);
          NDArray y = h.sublayer(view, context, at.at(part), s);
          loss = loss.add(weighed(part.toString() + layer, y == null ? s.sum() : y));
        }
        NDArray z = h.layer(view, context, at.at(Place.Part.LAYER), x);
        loss = loss.add(weighed("layer" + layer, z));
      }
      return loss;
    }

    private NDArray weighed(String name, NDArray a) {
      return a.mul(random("weight of " + name, a.getShape())).sum();
    }

    void backward() {
      theta.values().forEach(v -> v.setRequiresGradient(true));
      try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        collector.backward(loss());
      }
    }

    @Override
    public void close() {
      manager.close();
    }
  }
}
