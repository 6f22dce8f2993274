package org.peft4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import java.util.function.BiFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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

  @ParameterizedTest
  @CsvSource({"3, 5", "700, 1300", "2, 500000"})
  void one_row_is_multiplied_in_pieces_as_whole(int out, int in) {
    NDArray weight = Bfloat16.encode(manager, random("w", out, in));
    NDArray x = random("x", 1, 1, in);
    NDArray found = Torch.inference(() -> Bfloat16.linear(x, weight));
    assertThat(found.getShape()).isEqualTo(new Shape(1, 1, out));
    assertThat(apart(found, Bfloat16.plain(x, weight))).isLessThan(1e-5);
  }

  @Test
  void one_row_has_its_gradient() {
    NDArray weight = Bfloat16.encode(manager, random("w", 700, 1300));
    NDArray x = random("x", 1, 1300);
    float[][] fused = valueAndGradient(Bfloat16::linear, x, weight);
    float[][] plain = valueAndGradient(Bfloat16::plain, x, weight);
    for (int i = 0; i < 2; i++) {
      assertThat(
              apart(
                  Buffers.create(manager, fused[i], new Shape(fused[i].length)),
                  Buffers.create(manager, plain[i], new Shape(plain[i].length))))
          .isLessThan(1e-5);
    }
  }

  @Test
  void a_copy_in_half_precision_multiplies_alike() {
    NDArray values = random("w", 65, 130);
    NDArray weight = Bfloat16.encode(manager, values);
    HalfProduct half = HalfProduct.of(manager, weight);
    assertThat(half.isOf(weight)).isTrue();
    assertThat(half.isOf(values)).isFalse();
    for (NDArray x : new NDArray[] {random("x", 2, 3, 130), random("y", 1, 130)}) {
      NDArray found = Torch.inference(() -> half.linear(x));
      assertThat(found.getShape()).isEqualTo(Bfloat16.plain(x, weight).getShape());
      assertThat(apart(found, Bfloat16.plain(x, weight))).isLessThan(1e-5);
    }
  }

  @Test
  void numbers_that_half_precision_has_not_are_refused() {
    NDArray weight = Bfloat16.encode(manager, random("w", 4, 8).mul(1e6f));
    assertThatThrownBy(() -> HalfProduct.of(manager, weight))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("65504");
  }

  @Test
  void a_copy_goes_with_its_owner() {
    NDArray weight = Bfloat16.encode(manager, random("w", 4, 8));
    NDManager owner = Torch.newManager();
    HalfProduct half = HalfProduct.of(owner, weight);
    owner.close();
    assertThat(half.isOf(weight)).isFalse();
  }

  /** Largest difference, relative to the largest value. */
  private static double apart(NDArray a, NDArray b) {
    return a.sub(b).abs().max().getFloat() / b.abs().max().getFloat();
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
