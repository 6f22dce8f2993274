package org.peft4j.reparam;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.peft4j.spi.At;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Parameters;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/** VeLoRA's backward pass against its definition, written out number by number. */
@Tag("fast")
class VeloraTest {
  private static final String V = "lora_velora_embed";
  private static final int TOKENS = 6;
  private static final int IN = 7;
  private static final int OUT = 5;
  private static final int RANK = 2;

  private final NDManager manager = Torch.newManager();
  private final Map<String, NDArray> theta = new HashMap<>();
  private final NDArray x = random("x", new Shape(2, TOKENS / 2, IN));
  private final NDArray weights = random("weights", new Shape(2, TOKENS / 2, OUT));

  private NDArray random(String name, Shape shape) {
    return Seed.of(4).at(name).normal(manager, shape, 1);
  }

  private At at(int size) {
    theta.put(Lora.A, random("a", new Shape(RANK, IN)));
    theta.put(Lora.B, random("b", new Shape(OUT, RANK)));
    theta.putIfAbsent(V, manager.zeros(new Shape(size)));
    Parameter w =
        Parameters.of("weight", Parameter.Type.WEIGHT, random("w", new Shape(OUT, IN)), false);
    Site site = new Site("site", Kind.LINEAR, null, 0, new Dense(w, null, Operation.LINEAR));
    Pass pass = Pass.of(new ParameterStore(manager, false), true);
    return new At(site, site.frozen(), pass, pass, theta::get);
  }

  /** Gradients of the weighed sum of the outputs by A, B and x, in that order. */
  private float[][] gradients(Reparam method, At at) {
    NDArray input = x.duplicate();
    NDArray[] all = {at.theta(Lora.A), at.theta(Lora.B), input};
    for (NDArray a : all) {
      a.setRequiresGradient(true);
    }
    try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      collector.backward(method.forward(at, input).mul(weights).sum());
    }
    float[][] out = new float[all.length][];
    for (int i = 0; i < all.length; i++) {
      out[i] = all[i].getGradient().toFloatArray();
    }
    return out;
  }

  @ParameterizedTest
  @CsvSource({"7, 1", "3, 3", "1, 7", "9, 1"})
  void only_the_gradient_of_a_is_that_of_rebuilt_inputs(int groups, int size) {
    try (Scope scope = Scope.open()) {
      Lora lora = new Lora().withRank(RANK).withAlpha(3);
      Velora velora = new Velora(lora, groups, 0.5, Velora.Vector.BATCH_AVERAGE);
      At at = at(size);
      assertThat(velora.forward(at, x).sub(lora.forward(at, x)).abs().max().getFloat())
          .isLessThan(1e-5f);
      float[][] plain = gradients(lora, at);
      at = at(size);
      float[][] actual = gradients(velora, at);
      assertThat(actual[1]).containsExactly(plain[1], within(1e-4f));
      assertThat(actual[2]).containsExactly(plain[2], within(1e-4f));
      assertThat(actual[0]).containsExactly(ofRebuilt(groups, size, lora.scale()), within(1e-4f));
    }
  }

  /** {@code s B^T dy^T} on {@code 0.5 (x_g . v) v}, v the unit vector along the mean group. */
  private float[] ofRebuilt(int groups, int size, double s) {
    float[] inputs = x.toFloatArray();
    float[] dy = weights.toFloatArray();
    float[] b = Objects.requireNonNull(theta.get(Lora.B)).toFloatArray();
    double[][] padded = new double[TOKENS][groups * size];
    double[] v = new double[size];
    for (int t = 0; t < TOKENS; t++) {
      for (int i = 0; i < IN; i++) {
        padded[t][i] = inputs[t * IN + i];
        v[i % size] += padded[t][i];
      }
    }
    double length = 0;
    for (double e : v) {
      length += e * e;
    }
    float[] gradient = new float[RANK * IN];
    for (int t = 0; t < TOKENS; t++) {
      for (int i = 0; i < IN; i++) {
        double along = 0;
        for (int j = 0; j < size; j++) {
          along += padded[t][i / size * size + j] * v[j];
        }
        double rebuilt = 0.5 * along * v[i % size] / length;
        for (int r = 0; r < RANK; r++) {
          for (int o = 0; o < OUT; o++) {
            gradient[r * IN + i] += (float) (s * dy[t * OUT + o] * b[o * RANK + r] * rebuilt);
          }
        }
      }
    }
    return gradient;
  }

  @Test
  void a_vector_of_the_first_batch_stays() {
    try (Scope scope = Scope.open()) {
      Velora velora = new Velora(new Lora().withRank(RANK), 3, 1, Velora.Vector.BATCH_AVERAGE_ONCE);
      At at = at(3);
      velora.forward(at, x);
      float[] first = at.theta(V).toFloatArray();
      assertThat(at.theta(V).norm().getFloat()).isCloseTo(1, within(1e-5f));
      velora.forward(at, random("another", x.getShape()));
      assertThat(at.theta(V).toFloatArray()).isEqualTo(first);
    }
  }
}
