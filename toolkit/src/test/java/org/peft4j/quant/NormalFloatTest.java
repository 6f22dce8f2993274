package org.peft4j.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Parameters;
import org.peft4j.spi.Pass;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/** NF4 against what bitsandbytes made of the same numbers, bit for bit. */
@Tag("fast")
class NormalFloatTest {
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  private static Path golden() {
    try {
      return Path.of(
          Objects.requireNonNull(
                  NormalFloatTest.class.getResource("/golden/bitsandbytes/nf4.safetensors"))
              .toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  private Nf4 stored(NDArray weight, int block) {
    Parameter p = Parameters.of("weight", Parameter.Type.WEIGHT, weight, false);
    Frozen like = new Dense(p, null, Operation.LINEAR);
    return new Nf4.Blocks(block).store(like, weight, manager);
  }

  private static NDArray decoded(Frozen frozen, NDManager manager) {
    return frozen.weight(Pass.of(new ParameterStore(manager, false), false));
  }

  private static int[] bits(NDArray floats) {
    float[] values = floats.toFloatArray();
    int[] out = new int[values.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = Float.isNaN(values[i]) ? 0x7fc00000 : Float.floatToRawIntBits(values[i]);
    }
    return out;
  }

  @TestFactory
  Stream<DynamicTest> codes_scales_and_decoded_numbers_are_bitsandbytes() throws IOException {
    Set<String> cases = new LinkedHashSet<>();
    try (TensorSource source = Safetensors.open(golden())) {
      source.names().stream()
          .filter(n -> n.endsWith(".packed"))
          .forEach(n -> cases.add(n.substring(0, n.length() - ".packed".length())));
    }
    assertThat(cases).hasSizeGreaterThan(18);
    return cases.stream().sorted().map(c -> DynamicTest.dynamicTest(c, () -> same(c)));
  }

  private void same(String name) throws IOException {
    int dot = name.lastIndexOf(".b");
    int block = Integer.parseInt(name.substring(dot + 2));
    try (TensorSource source = Safetensors.open(golden());
        Scope scope = Scope.open()) {
      NDArray weight = source.load(name.substring(0, dot) + ".W", manager);
      Nf4 nf4 = stored(weight, block);
      List<Parameter> parts = nf4.parameters();
      assertThat(parts.get(0).getArray().flatten().toByteArray())
          .isEqualTo(source.load(name + ".packed", manager).flatten().toByteArray());
      assertThat(bits(parts.get(1).getArray()))
          .isEqualTo(bits(source.load(name + ".absmax", manager)));
      if (source.names().contains(name + ".dequant")) {
        NDArray dense = decoded(nf4, manager);
        assertThat(dense.getShape()).isEqualTo(weight.getShape());
        assertThat(bits(dense)).isEqualTo(bits(source.load(name + ".dequant", manager)));
      }
    }
  }

  @Test
  void the_table_is_bitsandbytes() throws IOException {
    try (TensorSource source = Safetensors.open(golden());
        Scope scope = Scope.open()) {
      float[] table = source.load("table", manager).toFloatArray();
      float[] bounds = source.load("bounds", manager).toFloatArray();
      for (int i = 0; i < 16; i++) {
        assertThat(NormalFloat.value(i)).isEqualTo(table[i]);
      }
      for (int i = 0; i < 15; i++) {
        assertThat(NormalFloat.code(bounds[i])).as("a tie takes the lower code").isEqualTo(i);
        assertThat(NormalFloat.code(Math.nextUp(bounds[i]))).isEqualTo(i + 1);
      }
    }
  }

  /** The mean error of bitsandbytes' own tests for normal numbers in blocks of 64 and 256. */
  @Test
  void the_error_on_normal_numbers_is_the_known_one() {
    assertThat(meanError(64)).isBetween(0.0720, 0.0736);
    assertThat(meanError(256)).isBetween(0.0795, 0.0812);
  }

  private double meanError(int block) {
    try (Scope scope = Scope.open()) {
      NDArray w = Seed.of(4).normal(manager, new Shape(1024, 512), 1);
      return decoded(stored(w, block), manager).sub(w).abs().mean().getFloat();
    }
  }

  @Test
  void decoded_numbers_quantise_to_themselves() {
    try (Scope scope = Scope.open()) {
      NDArray once = decoded(stored(Seed.of(5).normal(manager, new Shape(96, 64), 3), 64), manager);
      assertThat(bits(decoded(stored(once, 64), manager))).isEqualTo(bits(once));
    }
  }

  @Test
  void what_is_no_float32_is_refused() {
    NDArray doubles = manager.zeros(new Shape(4, 4), DataType.FLOAT64);
    assertThatThrownBy(() -> stored(doubles, 64))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("nf4")
        .hasMessageContaining("float64");
    assertThatThrownBy(() -> Storages.byName("nf5"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("[f32, nf4]")
        .hasMessageContaining("nf5");
  }
}
