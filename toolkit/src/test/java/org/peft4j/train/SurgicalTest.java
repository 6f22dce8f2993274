package org.peft4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.adapter.PeftModel;
import org.peft4j.reparam.Surgical;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Torch;

/** Learning rates by relative gradient norms. */
@Tag("fast")
class SurgicalTest {
  @Test
  void relative_gradient_norms_are_those_of_the_formula() {
    try (NDManager m = Torch.newManager()) {
      NDArray a = Buffers.create(m, new float[] {3, 4}, new Shape(2)); // norm 5
      NDArray b = Buffers.create(m, new float[] {0, 2, 0}, new Shape(3)); // norm 2
      NDArray zero = Buffers.create(m, new float[] {0, 0}, new Shape(2));
      NDArray slopeA = Buffers.create(m, new float[] {6, 8}, new Shape(2)); // norm 10: rgn 2
      NDArray slopeB = Buffers.create(m, new float[] {1, 0, 0}, new Shape(3)); // norm 1: rgn 0.5
      Map<String, NDArray> trained = new LinkedHashMap<>();
      trained.put("a", a);
      trained.put("b", b);
      trained.put("zero", zero);
      trained.values().forEach(x -> x.setRequiresGradient(true));
      try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        NDArray loss = a.mul(slopeA).sum().add(b.mul(slopeB).sum()).add(zero.mul(slopeA).sum());
        collector.backward(loss);
      }
      assertThat(new Surgical(true).learningRates(trained))
          .isEqualTo(Map.of("a", 1.0, "b", 0.25, "zero", 0.0));
      assertThat(new Surgical(false).learningRates(trained)).isEmpty();
    }
  }

  /** Adam's first update moves every element with a gradient by the learning rate. */
  @Test
  void the_loop_trains_every_tensor_at_its_own_rate() {
    try (SmallTask task = new SmallTask();
        PeftModel tuned = task.tuned(new Surgical(true))) {
      Map<String, float[]> before = values(tuned);
      Map<String, Double> rates = new LinkedHashMap<>();
      Training.of(tuned, task.rows(32, 3))
          .maxSteps(1)
          .batchSize(32)
          .learningRate(1e-3)
          .warmup(0)
          .weightDecay(0)
          .quiet()
          .run();
      values(tuned)
          .forEach(
              (name, now) -> {
                double moved = 0;
                for (int i = 0; i < now.length; i++) {
                  moved = Math.max(moved, Math.abs(now[i] - before.get(name)[i]));
                }
                rates.put(name, moved / 1e-3);
              });
      assertThat(rates).hasSize(4);
      assertThat(rates.values()).allSatisfy(r -> assertThat(r).isBetween(1e-3, 1.001));
      assertThat(rates.values().stream().mapToDouble(r -> r).max().orElseThrow())
          .isCloseTo(1, within(1e-3));
      assertThat(rates.values().stream().mapToDouble(r -> r).min().orElseThrow()).isLessThan(0.9);
    }
  }

  private static Map<String, float[]> values(PeftModel model) {
    Map<String, float[]> out = new LinkedHashMap<>();
    model.trainable().forEach((n, p) -> out.put(n, p.getArray().toFloatArray()));
    return out;
  }
}
