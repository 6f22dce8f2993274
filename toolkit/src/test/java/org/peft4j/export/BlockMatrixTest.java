package org.peft4j.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.onnx.Initializer;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/** The bytes of quantised matrices. */
@Tag("fast")
class BlockMatrixTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden/blocks.safetensors");
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  private BlockMatrix matrix(NDArray weight, int bits, int block, boolean zeros) {
    return new BlockMatrix(Initializer.of("w", weight), new BlockCode(bits, block, zeros));
  }

  private static byte[] raw(NDArray array) {
    byte[] bytes = new byte[Buffers.view(array).remaining()];
    Buffers.view(array).get(bytes);
    return bytes;
  }

  /** Made by golden_blocks.py. */
  @Test
  void are_those_of_onnx_runtimes_own_quantiser() throws IOException {
    try (TensorSource golden = Safetensors.open(GOLDEN)) {
      TreeSet<String> cases = new TreeSet<>();
      golden.names().forEach(n -> cases.add(n.substring(0, n.indexOf('.'))));
      assertThat(cases).hasSize(28);
      for (String name : cases) {
        String[] parts = name.split("_", -1);
        int bits = parts[0].charAt(0) - '0';
        boolean zeros = parts[2].equals("zp");
        NDArray weight = golden.load(name + ".weight", manager);
        BlockMatrix m = matrix(weight, bits, Integer.parseInt(parts[1]), zeros);
        NDArray codes = golden.load(name + ".codes", manager);
        NDArray scales = golden.load(name + ".scales", manager);
        assertThat(m.codes("c").shape()).as(name).isEqualTo(codes.getShape());
        assertThat(Blocks.bytes(m.scales("s"))).as(name + " scales").isEqualTo(raw(scales));
        if (zeros) {
          NDArray packed = golden.load(name + ".zero_points", manager);
          assertThat(m.zeros("z").shape()).as(name).isEqualTo(packed.getShape());
          assertThat(Blocks.bytes(m.zeros("z"))).as(name + " zero points").isEqualTo(raw(packed));
        }
        assertThat(Blocks.bytes(m.codes("c"))).as(name + " codes").isEqualTo(raw(codes));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "4, 16, 7, 48", "4, 16, 3, 33", "4, 32, 5, 97", "4, 64, 4, 192", "4, 128, 3, 130",
    "4, 256, 2, 256", "4, 256, 2, 10", "8, 16, 5, 40", "8, 32, 4, 96", "8, 64, 3, 65",
    "8, 128, 6, 384", "8, 256, 1, 300"
  })
  void decoded_they_are_within_a_step_of_the_weights(int bits, int block, int n, int k) {
    NDArray weight = Seed.of(n).at(k).normal(manager, new Shape(n, k), 0.7);
    float[] w = weight.toFloatArray();
    for (boolean asymmetric : new boolean[] {false, true}) {
      BlockMatrix m = matrix(weight, bits, block, asymmetric);
      float[] scales = Blocks.floats(Blocks.bytes(m.scales("s")));
      byte[] zeros = asymmetric ? Blocks.bytes(m.zeros("z")) : null;
      byte[] codes = Blocks.bytes(m.codes("c"));
      float[][] decoded = Blocks.decode(codes, scales, zeros, n, k, bits, block);
      int blocks = (k + block - 1) / block;
      double largest = 0;
      double most = 0;
      for (int row = 0; row < n; row++) {
        for (int i = 0; i < k; i++) {
          double off = Math.abs(decoded[row][i] - w[row * k + i]);
          double step = Math.abs(scales[row * blocks + i / block]);
          assertThat(off).isLessThanOrEqualTo(step * 1.0001);
          largest = Math.max(largest, off);
          most = Math.max(most, Math.abs(w[row * k + i]));
        }
      }
      QuantisationLoss.Tensor loss = m.loss();
      assertThat(loss.maxError()).isEqualTo(largest);
      assertThat(loss.maxWeight()).isEqualTo(most);
      assertThat(loss.bytesAfter())
          .isEqualTo(
              m.codes("c").size() + m.scales("s").size() + (asymmetric ? m.zeros("z").size() : 0));
    }
  }

  /** Of what the search is for, and of the range that it starts with. */
  @ParameterizedTest
  @CsvSource({"4, 32, true", "4, 32, false", "4, 128, true", "4, 16, false", "8, 32, true"})
  void fitted_they_lose_less_in_squares(int bits, int block, boolean zeros) {
    for (double power : new double[] {1, 3}) { // few large values among many small ones
      NDArray weight = Seed.of(7).at(block).normal(manager, new Shape(24, 200), 0.3).add(0.05f);
      Initializer w = Initializer.of("w", weight.sign().mul(weight.abs().pow(power)));
      BlockMatrix ranges = new BlockMatrix(w, new BlockCode(bits, block, zeros));
      BlockMatrix fitted = new BlockMatrix(w, new BlockCode(bits, block, zeros, true));
      double before = ranges.loss().squaredError();
      double after = fitted.loss().squaredError();
      assertThat(after).isLessThan(bits == 4 ? 0.97 * before : 1.02 * before);
      float[] scales = Blocks.floats(Blocks.bytes(fitted.scales("s")));
      byte[] points = zeros ? Blocks.bytes(fitted.zeros("z")) : null;
      byte[] codes = Blocks.bytes(fitted.codes("c"));
      float[][] decoded = Blocks.decode(codes, scales, points, 24, 200, bits, block);
      float[] expected = weight.sign().mul(weight.abs().pow(power)).toFloatArray();
      double sum = 0;
      for (int i = 0; i < expected.length; i++) {
        sum += Math.pow(expected[i] - (double) decoded[i / 200][i % 200], 2);
      }
      assertThat(sum).isCloseTo(after, within(1e-6 * before));
    }
  }

  @Test
  void fitted_they_keep_what_is_on_a_grid_and_nothing() {
    NDArray grid = manager.arange(0f, 64f).reshape(2, 32).get(":, 0:16").sub(3).mul(0.25f);
    BlockCode code = new BlockCode(4, 16, true, true);
    assertThat(new BlockMatrix(Initializer.of("w", grid.get("0:1")), code).loss().maxError())
        .isLessThan(1e-6);
    NDArray none = manager.zeros(new Shape(2, 20));
    assertThat(new BlockMatrix(Initializer.of("w", none), code).loss().maxError()).isZero();
  }

  @Test
  void a_transposed_weight_is_quantised_along_its_inputs() {
    NDArray weight = Seed.of(3).normal(manager, new Shape(40, 6), 1); // [in, out]
    Initializer stored = Initializer.of("w", weight);
    BlockCode code = new BlockCode(4, 16, true);
    NDArray turned = Buffers.copyOf(manager, weight.transpose());
    BlockMatrix expected = new BlockMatrix(Initializer.of("w", turned), code);
    BlockMatrix found = new BlockMatrix(stored.transposed(), code);
    assertThat(Blocks.bytes(found.codes("c"))).isEqualTo(Blocks.bytes(expected.codes("c")));
    assertThat(Blocks.bytes(found.scales("s"))).isEqualTo(Blocks.bytes(expected.scales("s")));
    assertThat(Blocks.bytes(found.zeros("z"))).isEqualTo(Blocks.bytes(expected.zeros("z")));
  }

  @Test
  void pieces_of_a_long_matrix_add_up() {
    NDArray weight = Seed.of(4).normal(manager, new Shape(5000, 512), 1); // 1.3 MB of codes
    Initializer codes = matrix(weight, 4, 32, false).codes("c");
    int[] pieces = {0};
    long[] sum = {0};
    codes
        .payload()
        .forEachChunk(
            b -> {
              pieces[0]++;
              sum[0] += b.remaining();
            });
    assertThat(pieces[0]).isGreaterThan(1);
    assertThat(sum[0]).isEqualTo(codes.size());
    BlockMatrix last = matrix(weight.get("4990:"), 4, 32, false);
    byte[] all = Blocks.bytes(codes);
    byte[] end = Blocks.bytes(last.codes("c"));
    assertThat(java.util.Arrays.copyOfRange(all, all.length - end.length, all.length))
        .isEqualTo(end);
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void a_weight_that_is_not_finite_is_named(float bad) {
    float[] values = new float[32];
    values[17] = bad;
    BlockMatrix m = matrix(Buffers.create(manager, values, new Shape(2, 16)), 4, 16, false);
    for (Initializer part : List.of(m.codes("c"), m.scales("s"))) {
      assertThatThrownBy(() -> Blocks.bytes(part))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContainingAll("weight w", "expected: finite weights", "found: " + bad);
    }
  }

  @Test
  void what_onnx_runtime_does_not_take_is_refused() {
    assertThatThrownBy(() -> new BlockCode(4, 48, false)).hasMessageContaining("found: 48");
    assertThatThrownBy(() -> new BlockCode(4, 8, false)).hasMessageContaining("16, 32, 64");
    assertThatThrownBy(() -> new BlockCode(3, 32, false)).hasMessageContaining("4 or 8");
    assertThat(Objects.toString(new BlockCode(8, 64, true))).isEqualTo("int8/64 zp");
  }
}
