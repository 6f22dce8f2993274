package org.peft4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The linear map with 16-bit weights, beside its plain twin. */
@Tag("fast")
class Bf16Test {
  private static final float ROUNDING = 0x1p-7f;

  @Test
  void packing_rounds_to_nearest_and_ties_to_even() {
    try (NDManager manager = Torch.newManager()) {
      float[] values = {
        1, -2.5f, 0, 1 + 0x1p-8f, 1 + 0x1p-7f + 0x1p-8f, 1 + 0x1p-8f + 0x1p-20f, 3.3895314e38f
      };
      NDArray packed = Bf16.pack(manager, Buffers.create(manager, values, new Shape(1, 7)));
      assertThat(packed.getShape()).isEqualTo(new Shape(1, 14));
      assertThat(Bf16.unpack(manager, packed).toFloatArray())
          .containsExactly(1, -2.5f, 0, 1, 1 + 0x1p-6f, 1 + 0x1p-7f, 3.3895314e38f);
      float[] odd = {Float.NaN, Float.POSITIVE_INFINITY};
      NDArray again =
          Bf16.unpack(
              manager, Bf16.pack(manager, Buffers.create(manager, odd, new Shape(2))));
      assertThat(again.toFloatArray()).containsExactly(odd);
    }
  }

  @Test
  void the_product_and_its_gradient_are_those_of_the_plain_twin() {
    try (NDManager manager = Torch.newManager();
        Scope scope = Scope.open()) {
      NDArray packed = Bf16.pack(manager, Seed.of(1).normal(manager, new Shape(24, 40), 1));
      NDArray upstream = Seed.of(3).normal(manager, new Shape(3, 5, 24), 1);
      NDArray[] y = new NDArray[2];
      NDArray[] gradient = new NDArray[2];
      for (int i = 0; i < 2; i++) {
        NDArray x = Seed.of(2).normal(manager, new Shape(3, 5, 40), 1);
        x.setRequiresGradient(true);
        try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
          y[i] = i == 0 ? Bf16.linear(x, packed) : Bf16.plain(x, packed);
          collector.backward(y[i].mul(upstream).sum());
        }
        gradient[i] = x.getGradient();
      }
      assertThat(y[0].getShape()).isEqualTo(new Shape(3, 5, 24));
      close(y[0], y[1]);
      close(gradient[0], gradient[1]);
    }
  }

  private static void close(NDArray actual, NDArray expected) {
    float scale = expected.stopGradient().abs().max().getFloat();
    assertThat(actual.stopGradient().sub(expected.stopGradient()).abs().max().getFloat())
        .isBetween(1e-7f, ROUNDING * scale); // another computation, yet near
  }
}
