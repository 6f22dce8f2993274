package org.peft4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Each operation that runs inside PyTorch against its plain twin, values and gradients. */
@Tag("fast")
class FusedOperationsTest {
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  private NDArray random(String name, long... shape) {
    return Seed.of(1).at(name).normal(manager, new Shape(shape), 1);
  }

  /** The value of {@code f} and the gradients of the sum of its squares in every input. */
  private static List<float[]> valueAndGradients(
      Function<NDArray[], NDArray> f, NDArray... inputs) {
    List<float[]> out = new ArrayList<>();
    for (NDArray x : inputs) {
      x.setRequiresGradient(true);
    }
    try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      NDArray y = f.apply(inputs);
      out.add(y.toFloatArray());
      collector.backward(y.square().sum());
    }
    for (NDArray x : inputs) {
      out.add(x.getGradient().toFloatArray());
      x.getGradient().muli(0);
      x.setRequiresGradient(false);
    }
    return out;
  }

  private static void assertSame(List<float[]> actual, List<float[]> expected) {
    for (int i = 0; i < expected.size(); i++) {
      assertThat(actual.get(i))
          .as("output and gradients, no. " + i)
          .usingComparatorWithPrecision(2e-5f)
          .containsExactly(expected.get(i));
    }
  }

  @Test
  void attention_equals_its_definition() {
    NDArray bias =
        manager.create(new float[] {0, 0, 0, -3e38f, 0, 0, -3e38f, -3e38f}).reshape(2, 1, 1, 4);
    NDArray[] qkv = {random("q", 2, 3, 5, 8), random("k", 2, 3, 4, 8), random("v", 2, 3, 4, 8)};
    assertSame(
        valueAndGradients(x -> Attention.of(x[0], x[1], x[2], bias), qkv),
        valueAndGradients(
            x -> Attention.plain(x[0], x[1], x[2], bias, Attention.scale(x[0])), qkv));
  }

  @Test
  void a_low_rank_sum_equals_its_definition() {
    NDArray[] in = {random("y", 3, 4, 7), random("low", 3, 4, 2), random("b", 7, 2)};
    assertSame(
        valueAndGradients(x -> LowRank.add(x[0], x[1], x[2], 0.7), in),
        valueAndGradients(x -> LowRank.plain(x[0], x[1], x[2], 0.7), in));
  }

  @Test
  void rms_norm_equals_its_definition() {
    NDArray[] in = {random("x", 3, 4, 7), random("w", 7)};
    assertSame(
        valueAndGradients(x -> RootMeanSquare.normalize(x[0], x[1], 1e-3), in),
        valueAndGradients(x -> RootMeanSquare.plain(x[0], x[1], 1e-3), in));
  }

  @Test
  void cross_entropy_equals_its_definition_and_skips_ignored_rows() {
    NDArray targets = Buffers.create(manager, new long[] {1, -100, 4, 0}, new Shape(4));
    NDArray[] in = {random("logits", 4, 5)};
    assertSame(
        valueAndGradients(x -> CrossEntropy.mean(x[0], targets), in),
        valueAndGradients(x -> CrossEntropy.plain(x[0], targets), in));
    float[] l = in[0].toFloatArray();
    double sum = 0;
    int[] rows = {0, 2, 3};
    int[] classes = {1, 4, 0};
    for (int i = 0; i < 3; i++) {
      double z = 0;
      for (int c = 0; c < 5; c++) {
        z += Math.exp(l[rows[i] * 5 + c]);
      }
      sum += Math.log(z) - l[rows[i] * 5 + classes[i]];
    }
    assertThat(CrossEntropy.mean(in[0], targets).getFloat())
        .isCloseTo((float) (sum / 3), org.assertj.core.api.Assertions.within(1e-5f));
  }

  @Test
  void adamw_equals_its_definition() {
    double[] h = {3, 0.01, 0.9, 0.999, 1e-8, 0.1};
    NDArray g = random("g", 4, 3);
    NDArray[] fused = {random("p", 4, 3), random("m", 4, 3), random("v", 4, 3).square()};
    NDArray[] plain = {random("p", 4, 3), random("m", 4, 3), random("v", 4, 3).square()};
    AdamWStep.apply(fused[0], g, fused[1], fused[2], 3, 0.01, 0.9, 0.999, 1e-8, 0.1);
    AdamWStep.plain(plain[0], g, plain[1], plain[2], h);
    for (int i = 0; i < 3; i++) {
      assertThat(fused[i].toFloatArray())
          .usingComparatorWithPrecision(1e-6f)
          .containsExactly(plain[i].toFloatArray());
    }
  }

  @Test
  void names_of_arrays_are_not_read_as_structure() {
    NDArray x = random("x", 2, 3);
    x.setName("layer.0.weight");
    assertThat(Svd.of(x).s().getShape()).isEqualTo(new Shape(2));
  }

  @Test
  void operations_outlive_garbage_collection_and_run_on_any_thread() throws Exception {
    NDArray x = random("x", 8, 6).toType(DataType.FLOAT64, false);
    double expected = Svd.plain(x).s().getDouble(0);
    Svd.of(x);
    System.gc();
    Thread.sleep(50);
    System.gc();
    ExecutorService pool = Executors.newFixedThreadPool(4);
    try {
      List<Future<Double>> results = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        results.add(
            pool.submit(
                () -> {
                  try (Scope scope = Scope.open()) {
                    return Svd.of(x).s().getDouble(0);
                  }
                }));
      }
      for (Future<Double> r : results) {
        assertThat(r.get()).isCloseTo(expected, org.assertj.core.api.Assertions.within(1e-10));
      }
    } finally {
      pool.shutdown();
    }
  }
}
