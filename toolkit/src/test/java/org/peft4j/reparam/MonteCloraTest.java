package org.peft4j.reparam;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.spi.At;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Parameters;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/** What MonteCLoRA draws in training, and the divergences that its loss gains. */
@Tag("fast")
class MonteCloraTest {
  private static final String OWN = "lora_monteclora_sampler.";
  private static final int IN = 400;

  private final NDManager manager = Torch.newManager();
  private final Map<String, NDArray> theta = new HashMap<>();

  private NDArray random(String name, Shape shape) {
    return Seed.of(4).at(name).normal(manager, shape, 1);
  }

  private NDArray numbers(float... values) {
    return Buffers.create(manager, values, new Shape(values.length));
  }

  private At at(boolean training) {
    theta.put(Lora.A, random("a", new Shape(2, IN)));
    theta.put(Lora.B, random("b", new Shape(5, 2)));
    theta.put(OWN + "std_prior", numbers(0.2f, -0.3f));
    theta.put(
        OWN + "expert_weights_prior",
        numbers((float) Math.log(0.4), (float) Math.log(1.2), (float) Math.log(2)));
    theta.put(OWN + "gaussian_var_prior", manager.eye(2));
    theta.put(OWN + "expert_weights", numbers(0.1f, 0.1f, 0.8f));
    Parameter w =
        Parameters.of("weight", Parameter.Type.WEIGHT, random("w", new Shape(5, IN)), false);
    Site site = new Site("site", Kind.LINEAR, null, 0, new Dense(w, null, Operation.LINEAR));
    Pass pass = Pass.of(new ParameterStore(manager, false), training);
    return new At(site, site.frozen(), pass, pass, theta::get);
  }

  private float[] kept(String name) {
    return Objects.requireNonNull(theta.get(OWN + name)).toFloatArray();
  }

  @Test
  void training_runs_on_noise_of_the_variances_that_it_keeps() {
    try (Scope scope = Scope.open()) {
      MonteClora method = new MonteClora(new Lora().withRank(2), 3, 0.5, 1, 0.1, false);
      At at = at(true);
      NDArray noise = method.factors(at).theta(Lora.A).sub(at.theta(Lora.A));
      float[] v = kept("gaussian_var_prior");
      float[] w = kept("expert_weights");
      double squares = 0;
      double sum = 0;
      for (float x : w) {
        squares += (double) x * x;
        sum += x;
      }
      assertThat(sum).isCloseTo(1, within(1e-5));
      assertThat(v[1]).isZero();
      for (int row = 0; row < 2; row++) {
        double expected = 0.25 * v[3 * row] * squares;
        assertThat((double) noise.get(row).square().mean().getFloat())
            .isCloseTo(expected, within(0.3 * expected)); // of 400 numbers
      }
      NDArray x = random("x", new Shape(3, IN));
      At inUse = at(false);
      assertThat(method.forward(inUse, x).sub(method.lora().forward(inUse, x)).abs().max())
          .extracting(NDArray::getFloat)
          .isEqualTo(0f);
    }
  }

  /** 2.2332: PyTorch's divergence of Dirichlet(0.4, 1.2, 2) from Dirichlet(0.1, 0.1, 0.1). */
  @Test
  void the_loss_gains_the_divergences() {
    try (Scope scope = Scope.open()) {
      MonteClora method = new MonteClora(new Lora().withRank(2), 3, 0.5, 0.1, 0.1, true);
      At at = at(true);
      method.factors(at); // keeps what is drawn
      float[] v = kept("gaussian_var_prior");
      double expected = 2.2332;
      for (int i = 0; i < 2; i++) {
        double s = i == 0 ? 0.2 : -0.3;
        expected += Math.exp(2 * s) - 2 * s - 1; // r / 2 times
        expected += 1.5 * (v[3 * i] - Math.log(v[3 * i]) - 1);
      }
      expected *= 0.1;
      for (float x : kept("expert_weights")) {
        expected += (double) x * x;
      }
      NDArray penalty = Objects.requireNonNull(method.penalty(List.of(at, at)));
      assertThat((double) penalty.getFloat()).isCloseTo(expected, within(1e-4));
    }
  }
}
