package org.peft4j.reparam;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.peft4j.adapter.Methods;
import org.peft4j.quant.Storages;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Storage;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Svd;
import org.peft4j.tensor.Torch;

/**
 * What every registered method must do, at every kind of site it says it can act on. Being in the
 * registry is what brings a method here.
 */
@Tag("fast")
class ReparamContractTest {

  @TestFactory
  Stream<DynamicNode> every_registered_method() {
    String some = System.getProperty("methods", ".*");
    return Reparams.all().stream()
        .filter(m -> m.name().matches(some))
        .flatMap(e -> Variants.of(e).stream())
        .map(this::contract);
  }

  private DynamicNode contract(Reparam method) {
    Stream<DynamicNode> kinds =
        method.kinds().stream()
            .sorted()
            .filter(kind -> possible(method, kind))
            .map(kind -> DynamicContainer.dynamicContainer(kind.toString(), tests(method, kind)));
    return DynamicContainer.dynamicContainer(method.toString(), kinds);
  }

  private static boolean possible(Reparam method, Kind kind) {
    if (method instanceof Dora dora) {
      return possible(dora.lora(), kind);
    }
    if (method instanceof Lora lora) {
      return kind == Kind.LINEAR
          || (!lora.init().needsMatrix()
              && !(kind == Kind.EXPERTS && (lora.loraBias() || lora.dropout() > 0))
              && !(kind == Kind.EMBEDDING && (lora.loraBias() || lora.init() == LoraInit.RANDOM)));
    }
    return true;
  }

  private Stream<DynamicNode> tests(Reparam method, Kind kind) {
    return Stream.of(
        DynamicTest.dynamicTest("starts at W0", () -> startsAtW0(method, kind)),
        DynamicTest.dynamicTest(
            "activation form equals weight form", () -> formsAgree(method, kind)),
        DynamicTest.dynamicTest(
            "gradients reach all of theta and none of W0", () -> gradientsReachTheta(method, kind)),
        DynamicTest.dynamicTest(
            "gradients equal finite differences", () -> finiteDifferences(method, kind)),
        DynamicTest.dynamicTest(
            "first values depend on the seed alone", () -> seeded(method, kind)),
        DynamicTest.dynamicTest("configuration survives the file", () -> configRoundTrip(method)),
        DynamicTest.dynamicTest(
            "on a quantised base it is what it is on the decoded one",
            () -> storagesAgree(method, kind)));
  }

  /** Whether the method has a weight form; what depends on texts or the batch has none. */
  private static boolean hasWeights(Reparam method) {
    return !(method instanceof Lily || method instanceof XLora);
  }

  private void startsAtW0(Reparam method, Kind kind) {
    boolean random = method instanceof Lora lora && lora.init() == LoraInit.RANDOM;
    try (Case c = new Case(method, kind, DataType.FLOAT32)) {
      if (!hasWeights(method)) {
        NDArray plain = c.operation.apply(c.x, c.w0, c.b0);
        assertThat(maxAbs(c.method.forward(c.at, c.x).sub(plain))).isLessThan(1e-6);
        return;
      }
      Weight w = c.method.effective(c.at);
      double off = maxAbs(w.weight().sub(c.w0));
      if (method.name().matches("vblora|unilora")) {
        assertThat(off).isBetween(1e-5, 1e-2); // near W0
      } else if (method instanceof Kasa kasa) { // without the smallest directions
        float[] sizes = Svd.precise(c.w0).s().toFloatArray();
        double dropped = 0;
        for (int i = sizes.length - kasa.lora().rank(); i < sizes.length; i++) {
          dropped += (double) sizes[i] * sizes[i];
        }
        assertThat(w.weight().sub(c.w0).norm().getFloat())
            .isCloseTo((float) Math.sqrt(dropped), within(1e-5f));
      } else if (random) {
        assertThat(off).isGreaterThan(1e-3);
      } else {
        assertThat(off).isLessThan(1e-5);
      }
    }
  }

  private void formsAgree(Reparam method, Kind kind) {
    if (kind == Kind.OTHER || !hasWeights(method)) {
      return; // has one form only
    }
    try (Case c = new Case(method, kind, DataType.FLOAT64)) {
      c.perturb();
      Weight w = c.method.effective(c.at);
      NDArray expected = c.operation.apply(c.x, w.weight(), w.bias());
      c.held.clear(); // each form computes for itself what is constant
      NDArray actual = c.method.forward(c.at, c.x);
      assertThat(actual.getShape()).isEqualTo(expected.getShape());
      assertThat(maxAbs(actual.sub(expected))).isLessThan(1e-12 * (1 + maxAbs(expected)));
      assertThat(maxAbs(expected.sub(c.operation.apply(c.x, c.w0, c.b0))))
          .as("the adapter does something")
          .isGreaterThan(1e-3);
    }
  }

  private void gradientsReachTheta(Reparam method, Kind kind) {
    try (Case c = new Case(method, kind, DataType.FLOAT32)) {
      c.perturb();
      c.backward();
      c.trained()
          .forEach((name, value) -> assertThat(maxAbs(value.getGradient())).as(name).isPositive());
      assertThat(c.w0.hasGradient()).isFalse();
    }
  }

  private void finiteDifferences(Reparam method, Kind kind) {
    try (Case c = new Case(method, kind, DataType.FLOAT64)) {
      c.perturb();
      c.backward();
      Seed seed = Seed.of(3).at("direction");
      Map<String, NDArray> trained = c.trained();
      Map<String, NDArray> gradients = new HashMap<>();
      trained.forEach((name, value) -> gradients.put(name, value.getGradient().duplicate()));
      trained.values().forEach(v -> v.setRequiresGradient(false));
      for (Map.Entry<String, NDArray> t : trained.entrySet()) {
        NDArray direction =
            seed.at(t.getKey())
                .normal(c.manager, t.getValue().getShape(), 1)
                .toType(DataType.FLOAT64, false);
        double h = 1e-5;
        t.getValue().addi(direction.mul(h));
        double up = c.loss().getDouble();
        t.getValue().subi(direction.mul(2 * h));
        double down = c.loss().getDouble();
        t.getValue().addi(direction.mul(h));
        double expected = (up - down) / (2 * h);
        double actual =
            Objects.requireNonNull(gradients.get(t.getKey())).mul(direction).sum().getDouble();
        assertThat(Math.abs(actual - expected))
            .as(t.getKey())
            .isLessThan(1e-7 * (1 + Math.abs(expected)));
      }
    }
  }

  /** Values and gradients are the same to the bit, however the base is stored. */
  private void storagesAgree(Reparam method, Kind kind) {
    if (kind != Kind.LINEAR) {
      return; // storages are of linear maps
    }
    for (Storage storage : Storages.all()) {
      try (Case quantised = new Case(method, kind, DataType.FLOAT32, storage, false);
          Case decoded = new Case(method, kind, DataType.FLOAT32, storage, true)) {
        for (Case c : List.of(quantised, decoded)) {
          c.perturb();
        }
        if (hasWeights(method)) {
          Weight w = quantised.method.effective(quantised.at);
          Weight plain = decoded.method.effective(decoded.at);
          assertThat(w.weight().toFloatArray())
              .as(storage.name())
              .isEqualTo(plain.weight().toFloatArray());
        }
        assertThat(quantised.method.forward(quantised.at, quantised.x).toFloatArray())
            .as(storage.name())
            .isEqualTo(decoded.method.forward(decoded.at, decoded.x).toFloatArray());
        quantised.backward();
        decoded.backward();
        quantised.trained.forEach(
            (name, value) ->
                assertThat(value.getGradient().toFloatArray())
                    .as(storage.name() + ", gradient of " + name)
                    .isEqualTo(
                        Objects.requireNonNull(decoded.trained.get(name))
                            .getGradient()
                            .toFloatArray()));
      }
    }
  }

  private void seeded(Reparam method, Kind kind) {
    Map<String, float[]> first = new LinkedHashMap<>();
    try (Case c = new Case(method, kind, DataType.FLOAT32)) {
      c.theta.forEach((name, value) -> first.put(name, floats(value)));
    }
    try (Case c = new Case(method, kind, DataType.FLOAT32)) {
      c.theta.forEach(
          (name, value) -> assertThat(floats(value)).as(name).isEqualTo(first.get(name)));
    }
  }

  private static float[] floats(NDArray x) {
    return x.toType(DataType.FLOAT32, false).toFloatArray();
  }

  private void configRoundTrip(Reparam method) {
    Map<String, Object> config = new LinkedHashMap<>();
    method
        .toConfig()
        .forEach(
            (k, v) -> {
              if (v != org.peft4j.spi.Entries.NULL) {
                config.put(k, v);
              }
            });
    org.peft4j.spi.Entries entries =
        new org.peft4j.spi.Entries("adapter_config.json", new LinkedHashMap<>(config));
    Reparam read = Methods.byName(method.name()).read().apply(entries);
    assertThat(read).isEqualTo(method);
    entries.requireAllRead();
  }

  private static double maxAbs(NDArray x) {
    return x.toType(DataType.FLOAT64, false).abs().max().getDouble();
  }

  /** A method at one small site with random weights, its tensors at their first values. */
  private static final class Case implements AutoCloseable {
    final NDManager manager = Torch.newManager();
    final Scope scope = Scope.open();
    final Reparam configured;
    final Reparam method;
    final Operation operation;
    final NDArray w0;
    final NDArray b0;
    final NDArray x;
    final Map<String, NDArray> theta = new LinkedHashMap<>();
    final Map<String, NDArray> trained = new LinkedHashMap<>();

    /** What the method declared constant, until theta is another one. */
    final Map<String, NDArray> held = new HashMap<>();

    final At at;
    private boolean accumulates;

    Case(Reparam configured, Kind kind, DataType type) {
      this(configured, kind, type, Storages.dense(), false);
    }

    /**
     * With a base kept in {@code storage}, or, if {@code decoded}, with the dense numbers of it.
     */
    Case(Reparam configured, Kind kind, DataType type, Storage storage, boolean decoded) {
      this.configured = configured;
      Seed seed = Seed.of(11);
      Shape shape =
          switch (kind) {
            case CONV -> new Shape(6, 4, 3, 2);
            case NORM -> new Shape(7);
            case OTHER -> new Shape(5, 3, 2);
            case EXPERTS -> new Shape(3, 6, 8);
            default -> new Shape(12, 8);
          };
      operation =
          switch (kind) {
            case LINEAR -> Operation.LINEAR;
            case EMBEDDING -> Operation.EMBEDDING;
            case CONV ->
                Operation.convolution(new Shape(2, 1), new Shape(1, 0), new Shape(1, 2), 1);
            case NORM -> Operation.layerNorm(1e-6);
            case EXPERTS -> Operation.EXPERTS;
            default -> Operation.UNKNOWN;
          };
      w0 = seed.at("w0").normal(manager, shape, 1).toType(type, false);
      boolean biased = kind == Kind.LINEAR || kind == Kind.CONV || kind == Kind.NORM;
      b0 =
          biased
              ? seed.at("b0").normal(manager, new Shape(shape.get(0)), 1).toType(type, false)
              : null;
      x =
          switch (kind) {
            case EMBEDDING ->
                Buffers.create(manager, new long[] {0, 5, 2, 2, 3, 1}, new Shape(2, 3));
            case CONV -> seed.at("x").normal(manager, new Shape(2, 4, 7, 6), 1).toType(type, false);
            case NORM -> seed.at("x").normal(manager, new Shape(2, 3, 7), 1).toType(type, false);
            case EXPERTS -> seed.at("x").normal(manager, new Shape(3, 2, 8), 1).toType(type, false);
            default -> seed.at("x").normal(manager, new Shape(2, 3, 8), 1).toType(type, false);
          };
      Dense dense = new Dense(parameter(w0), b0 == null ? null : parameter(b0), operation);
      Frozen base = storage == Storages.dense() ? dense : storage.store(dense, w0, manager);
      if (decoded) {
        NDArray numbers = base.weight(Pass.of(new ParameterStore(manager, false), false));
        base = new Dense(parameter(numbers), b0 == null ? null : parameter(b0), operation);
      }
      Site site = new Site("layer.0.site", kind, null, 0, base);
      Reparam sized = configured.sized(List.of(site));
      method = sized.plan(List.of(site)).get(site);
      Pass pass = Pass.of(new ParameterStore(manager, false), false);
      Declaration own = new Declaration();
      method.declare(site, own);
      Declaration shared = new Declaration();
      sized.declareShared(List.of(site), shared);
      make(shared, base, pass, type);
      make(own, base, pass, type);
      At first = new At(site, base, pass, pass, theta::get);
      NDArray shifted = method.shift(first);
      Frozen effective =
          shifted == null
              ? base
              : new Dense(parameter(shifted), b0 == null ? null : parameter(b0), operation);
      at =
          new At(site, effective, pass, pass, theta::get)
              .withConstants(
                  (name, value) ->
                      held.computeIfAbsent(name, n -> value.get().stopGradient().duplicate()));
    }

    private void make(Declaration declaration, Frozen base, Pass pass, DataType type) {
      Map<String, Object> memo = new HashMap<>();
      for (Declaration.Entry e : declaration.entries()) {
        NDArray made =
            e.init().make(new Context(manager, base, pass, memo, theta, e.name()), e.shape());
        NDArray typed = made.getDataType().isFloating() ? made.toType(type, false) : made;
        NDArray value = Buffers.copyOf(manager, typed);
        assertThat(value.getShape()).as(e.name()).isEqualTo(e.shape());
        theta.put(e.name(), value);
        if (e.role() == Declaration.Role.TRAINED) {
          trained.put(e.name(), value);
        }
        accumulates |= e.role() == Declaration.Role.ACCUMULATED;
      }
    }

    /** Moves what is trained, and beneath it what the method itself accumulates of that. */
    void perturb() {
      move();
      if (accumulates) {
        method.afterStep(List.of(at), 2, 8);
        move();
      }
    }

    private void move() {
      held.clear();
      trained.forEach(
          (n, v) ->
              v.addi(
                  Seed.of(5)
                      .at(n)
                      .normal(manager, v.getShape(), 0.3)
                      .toType(v.getDataType(), false)));
    }

    Map<String, NDArray> trained() {
      return trained;
    }

    /** A smooth function of all that the site computes, with the method's own term of the loss. */
    NDArray loss() {
      Weight w =
          hasWeights(configured) ? method.effective(at) : new Weight(method.forward(at, x), null);
      NDArray loss =
          w.weight()
              .square()
              .sum()
              .add(w.weight().mul(Seed.of(9).normal(manager, w.weight().getShape(), 1)).sum());
      if (w.bias() != null) {
        loss = loss.add(w.bias().square().sum());
      }
      NDArray penalty = method.penalty(List.of(at));
      return penalty == null ? loss : loss.add(penalty);
    }

    void backward() {
      trained.values().forEach(v -> v.setRequiresGradient(true));
      try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        collector.backward(loss());
      }
    }

    private Parameter parameter(NDArray value) {
      return Parameter.builder()
          .setName("p")
          .setType(Parameter.Type.OTHER)
          .optArray(value)
          .optRequiresGrad(false)
          .build();
    }

    @Override
    public void close() {
      scope.close();
      manager.close();
    }
  }

  private record Context(
      NDManager manager,
      Frozen base,
      Pass pass,
      Map<String, Object> memo,
      Map<String, NDArray> theta,
      String name)
      implements Init.Context {
    @Override
    public NDArray shared(String tensor) {
      return Objects.requireNonNull(theta.get(tensor), tensor);
    }

    @Override
    public Seed seed() {
      return Seed.of(1).at(name);
    }

    @Override
    public NDArray w0() {
      return base.weight(pass);
    }

    @Override
    public NDArray b0() {
      return Objects.requireNonNull(base.bias(pass));
    }

    @Override
    @SuppressWarnings("unchecked")
    public <T> T once(String key, Supplier<T> value) {
      return (T) memo.computeIfAbsent(key, k -> Objects.requireNonNull(value.get()));
    }
  }
}
