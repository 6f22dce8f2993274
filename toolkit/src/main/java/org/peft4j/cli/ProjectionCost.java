package org.peft4j.cli;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.peft4j.quant.Storages;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Parameters;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Storage;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/**
 * Times a forward and backward pass of one adapted projection against that of the frozen projection
 * alone. The input needs its gradient in both, as it does inside of a network.
 */
final class ProjectionCost implements AutoCloseable {
  private final NDManager manager = Torch.newManager();
  private final Frozen frozen;
  private final Frozen storage;
  private final NDArray x;
  private final NDArray dy;

  /**
   * A projection {@code [size, size]} with a bias, in float32, on this many tokens.
   *
   * @param storage how the weight is kept where it is adapted; the frozen one is float32
   */
  ProjectionCost(int size, int tokens, Storage storage) {
    Seed seed = Seed.of(1);
    NDArray w0 = seed.at("w").normal(manager, new Shape(size, size), 0.02);
    NDArray b0 = seed.at("b").normal(manager, new Shape(size), 0.02);
    frozen =
        new Dense(
            Parameters.of("weight", Parameter.Type.WEIGHT, w0, false),
            Parameters.of("bias", Parameter.Type.BIAS, b0, false),
            Operation.LINEAR);
    this.storage = storage == Storages.dense() ? frozen : storage.store(frozen, w0, manager);
    x = seed.at("x").normal(manager, new Shape(1, tokens, size), 1);
    dy = seed.at("dy").normal(manager, new Shape(1, tokens, size), 1);
    x.setRequiresGradient(true);
  }

  /**
   * Milliseconds of a forward and a backward pass, medians of alternating runs.
   *
   * @param ratio median of the ratios of runs side by side
   */
  record Result(double frozen, double adapted, double ratio) {}

  Result measure(Reparam method, int runs) {
    Site site = new Site("projection", Kind.LINEAR, null, 0, storage);
    try (NDManager own = manager.newSubManager()) {
      Pass pass = Pass.of(new ParameterStore(own, false), true);
      Reparam here = Objects.requireNonNull(method.plan(List.of(site)).get(site));
      List<NDArray> trained = new ArrayList<>();
      At at = attach(site, here, method, pass, own, trained);
      double[] alone = new double[runs];
      double[] with = new double[runs];
      double[] ratio = new double[runs];
      for (int i = -10; i < runs; i++) { // the first ten warm up
        double a = milliseconds(() -> frozen.apply(pass, x, frozen.bias(pass)), List.of());
        double b = milliseconds(() -> here.forward(at, x), trained);
        if (i >= 0) {
          alone[i] = a;
          with[i] = b;
          ratio[i] = b / a;
        }
      }
      return new Result(median(alone), median(with), median(ratio));
    }
  }

  private static At attach(
      Site site, Reparam here, Reparam method, Pass pass, NDManager own, List<NDArray> trained) {
    Map<String, NDArray> theta = new LinkedHashMap<>();
    Declaration declared = new Declaration();
    here.declare(site, declared);
    Declaration shared = new Declaration();
    method.declareShared(List.of(site), shared);
    Map<String, Object> memo = new HashMap<>();
    List<Declaration.Entry> all = new ArrayList<>(declared.entries());
    all.addAll(shared.entries());
    try (Scope scope = Scope.open()) { // entries share what they compute once
      for (Declaration.Entry e : all) {
        Init.Context context = new Context(own, Seed.of(2).at(e.name()), site, pass, memo);
        NDArray value = Scope.giveTo(own, e.init().make(context, e.shape()).duplicate());
        theta.put(e.name(), value);
        if (e.role() == Declaration.Role.TRAINED) {
          value.setRequiresGradient(true);
          trained.add(value);
        }
      }
    }
    At at = new At(site, site.frozen(), pass, pass, theta::get);
    NDArray shifted = here.shift(at);
    if (shifted == null) {
      return at;
    }
    Storage kept = here.storage() == null ? Storages.dense() : here.storage();
    return new At(site, kept.store(site.frozen(), shifted, own), pass, pass, theta::get);
  }

  private double milliseconds(Supplier<NDArray> forward, List<NDArray> trained) {
    try (Scope scope = Scope.open();
        GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      long start = System.nanoTime();
      NDArray y = forward.get();
      JniUtils.backward((PtNDArray) y, (PtNDArray) dy, false, false);
      double elapsed = (System.nanoTime() - start) / 1e6;
      clear(x);
      trained.forEach(ProjectionCost::clear);
      return elapsed;
    }
  }

  private static void clear(NDArray a) {
    if (a instanceof PtNDArray p && p.hasGradient()) {
      JniUtils.zeroGrad(p);
    }
  }

  private static double median(double[] x) {
    double[] sorted = x.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }

  private record Context(
      NDManager manager, Seed seed, Site site, Pass pass, Map<String, Object> memo)
      implements Init.Context {
    @Override
    public NDArray w0() {
      return site.frozen().weight(pass);
    }

    @Override
    public NDArray b0() {
      return Objects.requireNonNull(site.frozen().bias(pass));
    }

    @Override
    @SuppressWarnings("unchecked")
    public <T> T once(String name, Supplier<T> value) {
      @Nullable Object known = memo.get(name);
      if (known == null) {
        known = Objects.requireNonNull(value.get());
        memo.put(name, known);
      }
      return (T) known;
    }
  }

  @Override
  public void close() {
    manager.close();
  }
}
