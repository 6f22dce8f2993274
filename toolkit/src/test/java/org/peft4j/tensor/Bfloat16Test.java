package org.peft4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import java.util.function.BiFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Products with bfloat16 weights against their plain twin, values and gradients. */
@Tag("fast")
class Bfloat16Test {
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  private NDArray random(String name, long... shape) {
    return Seed.of(1).at(name).normal(manager, new Shape(shape), 1);
  }

  private float[] through(float... values) {
    NDArray bits =
        Bfloat16.encode(manager, Buffers.create(manager, values, new Shape(values.length)));
    float[] decoded = Bfloat16.decode(bits).toFloatArray();
    assertThat(Bfloat16.plainDecode(manager, bits).toFloatArray()).isEqualTo(decoded);
    return decoded;
  }

  @Test
  void numbers_are_rounded_to_the_nearest_and_ties_to_even() {
    assertThat(through(1 + 0x1p-8f, 1 + 0x3p-8f, 1 + 0x1.01p-8f, -0f, 0x1p-133f))
        .containsExactly(1, 1 + 0x1p-6f, 1 + 0x1p-7f, -0f, 0x1p-133f);
    assertThat(through(Float.MAX_VALUE, Float.NEGATIVE_INFINITY))
        .containsExactly(Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY);
    assertThat(through(Float.NaN, Float.intBitsToFloat(0x7f800001))).containsOnly(Float.NaN);
    float[] values = random("v", 999).toFloatArray();
    float[] rounded = through(values);
    for (int i = 0; i < values.length; i++) {
      assertThat(Math.abs(rounded[i] - values[i])).isLessThanOrEqualTo(Math.abs(values[i]) / 256);
    }
    assertThat(through(rounded)).as("rounding again").isEqualTo(rounded);
  }

  @Test
  void a_product_and_its_gradient_are_those_of_the_decoded_weight() {
    NDArray weight = Bfloat16.encode(manager, random("w", 65, 130));
    for (NDArray x : new NDArray[] {random("x", 3, 7, 130), random("y", 5, 130)}) {
      float[][] fused = valueAndGradient(Bfloat16::linear, x, weight);
      float[][] plain = valueAndGradient(Bfloat16::plain, x, weight);
      for (int i = 0; i < 2; i++) {
        float largest = 0;
        float difference = 0;
        assertThat(fused[i]).hasSameSizeAs(plain[i]);
        for (int j = 0; j < plain[i].length; j++) {
          largest = Math.max(largest, Math.abs(plain[i][j]));
          difference = Math.max(difference, Math.abs(plain[i][j] - fused[i][j]));
        }
        assertThat(difference / largest).isLessThan(1e-5f);
      }
    }
  }

  private static float[][] valueAndGradient(
      BiFunction<NDArray, NDArray, NDArray> product, NDArray x, NDArray weight) {
    x.setRequiresGradient(true);
    try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      NDArray y = product.apply(x, weight);
      collector.backward(y.square().sum());
      return new float[][] {y.toFloatArray(), x.getGradient().toFloatArray()};
    } finally {
      x.getGradient().muli(0);
      x.setRequiresGradient(false);
    }
  }

  @Test
  void rows_are_those_of_the_decoded_table() {
    NDArray table = Bfloat16.encode(manager, random("t", 9, 4));
    NDArray ids = Buffers.create(manager, new long[] {8, 0, 3, 3}, new Shape(2, 2));
    NDArray rows = Bfloat16.rows(table, ids);
    assertThat(rows.getShape()).isEqualTo(new Shape(2, 2, 4));
    float[] decoded = Bfloat16.decode(table).toFloatArray();
    assertThat(rows.get("1, 0").toFloatArray())
        .isEqualTo(java.util.Arrays.copyOfRange(decoded, 12, 16));
  }
}
