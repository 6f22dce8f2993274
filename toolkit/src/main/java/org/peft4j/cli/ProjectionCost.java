package org.peft4j.cli;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import java.util.Collection;
import java.util.List;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.quant.Storages;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Parameters;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Storage;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/**
 * Times a forward and backward pass of one adapted projection against that of the frozen projection
 * alone, each in a model of its own. The input needs its gradient in both, as it does inside of a
 * network.
 */
final class ProjectionCost implements AutoCloseable {
  private static final int WARM_UP = 10;

  private final NDManager manager = Torch.newManager();
  private final Block frozen;
  private final Block base;
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
    Frozen dense =
        new Dense(
            Parameters.of("weight", Parameter.Type.WEIGHT, w0, false),
            Parameters.of("bias", Parameter.Type.BIAS, b0, false),
            Operation.LINEAR);
    frozen = new SequentialBlock().add(new LoneProjection(dense));
    base =
        storage == Storages.dense()
            ? frozen
            : new SequentialBlock().add(new LoneProjection(storage.store(dense, w0, manager)));
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
    Placement all = Placement.DEFAULT.withTargets(List.of("regex:.*"));
    try (Tuned tuned = Peft.attach(base, method, all, 2)) {
      double[] alone = new double[runs];
      double[] with = new double[runs];
      double[] ratio = new double[runs];
      for (int i = -WARM_UP; i < runs; i++) {
        double a = milliseconds(frozen, List.of());
        double b = milliseconds(tuned, tuned.trainable().values());
        if (i >= 0) {
          alone[i] = a;
          with[i] = b;
          ratio[i] = b / a;
        }
      }
      return new Result(Median.of(alone), Median.of(with), Median.of(ratio));
    }
  }

  private double milliseconds(Block model, Collection<Parameter> trained) {
    try (Scope scope = Scope.open();
        NDManager step = manager.newSubManager();
        GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      long start = System.nanoTime();
      NDArray y =
          model.forward(new ParameterStore(step, false), new NDList(x), true).singletonOrThrow();
      JniUtils.backward((PtNDArray) y, (PtNDArray) dy, false, false);
      double elapsed = (System.nanoTime() - start) / 1e6;
      clear(x);
      trained.forEach(p -> clear(p.getArray()));
      return elapsed;
    }
  }

  private static void clear(NDArray a) {
    if (a instanceof PtNDArray p && p.hasGradient()) {
      JniUtils.zeroGrad(p);
    }
  }

  @Override
  public void close() {
    manager.close();
  }
}
