package org.peft4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Against values of PyTorch's {@code lgamma} and {@code digamma}. */
@Tag("fast")
class GammaTest {
  private static final double[] X = {0.03, 0.1, 1, 2.5, 3.7, 40};
  private static final double[] LOG = {
    3.489971043442412,
    2.252712651734206,
    0,
    0.2846828704729192,
    1.428072326665388,
    106.63176026064346
  };
  private static final double[] DIGAMMA = {
    -33.862254420618775,
    -10.423754940411076,
    -0.5772156649015328,
    0.7031566406452431,
    1.1671535393615111,
    3.6763273740348428
  };

  @Test
  void they_are_pytorchs_and_each_the_derivative_of_the_one_before() {
    try (NDManager manager = Torch.newManager();
        Scope scope = Scope.open()) {
      NDArray x = Buffers.create(manager, X, new Shape(X.length));
      assertThat(Gamma.log(x).toDoubleArray()).containsExactly(LOG, within(1e-8));
      assertThat(Gamma.digamma(x).toDoubleArray()).containsExactly(DIGAMMA, within(1e-8));
      x.setRequiresGradient(true);
      try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        collector.backward(Gamma.log(x).sum());
      }
      assertThat(x.getGradient().toDoubleArray()).containsExactly(DIGAMMA, within(1e-8));
    }
  }
}
