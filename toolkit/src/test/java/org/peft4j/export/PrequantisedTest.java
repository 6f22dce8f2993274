package org.peft4j.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/** Weights that are integers before the export. */
@Tag("fast")
class PrequantisedTest {
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  private NDArray bytes(String name, long... shape) {
    Seed seed = Seed.of(21).at(name);
    return Buffers.create(
        manager,
        new Shape(shape),
        DataType.UINT8,
        b -> {
          for (int i = 0; b.hasRemaining(); i++) {
            b.put((byte) seed.below(i, 256));
          }
        });
  }

  private static byte[] raw(NDArray array) {
    byte[] bytes = new byte[Buffers.view(array).remaining()];
    Buffers.view(array).get(bytes);
    return bytes;
  }

  private enum Zeros {
    NONE,
    WHOLE,
    FRACTIONS
  }

  private Groupwise weight(int bits, int block, int n, int k, Zeros zeros) {
    int blocks = (k + block - 1) / block;
    NDArray scales = Seed.of(5).uniform(manager, new Shape(n, blocks), -0.1, 0.2);
    NDArray points =
        switch (zeros) {
          case NONE -> null;
          case WHOLE -> bytes("zeros", n, (blocks * bits + 7) / 8);
          case FRACTIONS -> Seed.of(6).uniform(manager, new Shape(n, blocks), 5, 11);
        };
    return new Groupwise(
        new Shape(n, k), bits, block, bytes("codes", n, blocks, block * bits / 8), scales, points);
  }

  /** {@code (code - zero) * scale}. */
  private NDArray decoded(Groupwise w, Zeros zeros) {
    int n = (int) w.shape().get(0);
    int k = (int) w.shape().get(1);
    float[] scales = w.scales().toFloatArray();
    float[] ones = new float[scales.length];
    java.util.Arrays.fill(ones, 1);
    byte[] packed = zeros == Zeros.WHOLE ? raw(w.zeroPoints()) : null;
    // codes minus zero points; those that are fractions replace the middle, which is left out above
    float[][] centred = Blocks.decode(raw(w.codes()), ones, packed, n, k, w.bits(), w.blockSize());
    int blocks = scales.length / n;
    float[] fractions = zeros == Zeros.FRACTIONS ? w.zeroPoints().toFloatArray() : null;
    float[] out = new float[n * k];
    for (int row = 0; row < n; row++) {
      for (int i = 0; i < k; i++) {
        int b = row * blocks + i / w.blockSize();
        float shift = fractions == null ? 0 : (1 << (w.bits() - 1)) - fractions[b];
        out[row * k + i] = (centred[row][i] + shift) * scales[b];
      }
    }
    return Buffers.create(manager, out, new Shape(n, k));
  }

  @ParameterizedTest
  @CsvSource({
    "4, 32, 24, 96, NONE",
    "4, 32, 24, 96, WHOLE",
    "4, 32, 24, 128, FRACTIONS",
    "4, 16, 9, 40, WHOLE",
    "4, 128, 16, 300, NONE",
    "8, 64, 16, 128, WHOLE",
    "8, 32, 9, 70, NONE"
  })
  void pass_bit_for_bit(int bits, int block, int n, int k, Zeros zeros) throws IOException {
    Groupwise given = weight(bits, block, n, k, zeros);
    NDArray dense = decoded(given, zeros);
    NDArray x = Seed.of(8).normal(manager, new Shape(5, k), 1);
    try (OnnxGraph graph = ProductGraph.linear(dense)) {
      Prequantised pass = new Prequantised(Map.of("weight", given), 1);
      OnnxGraph made = pass.apply(graph);
      assertThat(made.histogram()).isEqualTo(Map.of("MatMulNBits", 1));
      assertThat(Blocks.bytes(Blocks.stored(made, "weight_Q" + bits)))
          .isEqualTo(raw(given.codes()));
      assertThat(Blocks.bytes(Blocks.stored(made, "weight_scales"))).isEqualTo(raw(given.scales()));
      if (given.zeroPoints() != null) {
        assertThat(Blocks.bytes(Blocks.stored(made, "weight_zero_points")))
            .isEqualTo(raw(given.zeroPoints()));
      }
      assertThat(made.initializers()).hasSize(zeros == Zeros.NONE ? 2 : 3);
      NDArray y = ProductGraph.run(made, manager, Map.of("x", x)).get("y");
      assertThat(ProductGraph.off(y, x.matMul(dense.transpose()))).isLessThan(1e-5f);
      OnnxGraph after = WeightOnly.int4().minimum(1).apply(made);
      assertThat(after.initializers())
          .extracting(Object::toString)
          .hasSameElementsAs(made.initializers().stream().map(Object::toString).toList());
      assertThat(pass.loss(graph).tensors()).isEmpty();
    }
  }

  @Test
  void names_and_shapes_are_checked_against_the_graph() {
    Groupwise given = weight(4, 32, 8, 64, Zeros.NONE);
    NDArray dense = Seed.of(1).normal(manager, new Shape(8, 32), 1);
    try (OnnxGraph graph = ProductGraph.linear(dense)) {
      assertThatThrownBy(
              () -> Prequantised.of(Map.of("weight", given, "wieght", given)).apply(graph))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContainingAll(
              "expected: names and shapes out of [weight]",
              "\"weight\" is (8, 64), the graph has (8, 32)",
              "\"wieght\" is not among the matrices of products");
    }
  }

  @Test
  void parts_that_do_not_fit_are_named_at_once() {
    NDArray floats = manager.zeros(new Shape(8, 3));
    assertThatThrownBy(
            () -> new Groupwise(new Shape(8, 64), 4, 32, bytes("codes", 8, 2, 8), floats, null))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(
            "expected: codes uint8 (8, 2, 16)",
            "found: uint8 (8, 2, 8)",
            "expected: scales float32 (8, 2)",
            "found: float32 (8, 3)");
  }
}
