package org.peft4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.format.Json;

@Tag("fast")
class SeedTest {
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void a_place_in_the_tree_always_has_the_same_numbers() {
    Seed place = Seed.of(7).at(3).at("layer.0.query").at("lora_A");
    assertThat(place.bits(0)).isEqualTo(Seed.of(7).at(3).at("layer.0.query").at("lora_A").bits(0));
    assertThat(place.normal(manager, new Shape(5), 1).toFloatArray())
        .as("fixed for ever: adapters in files depend on it")
        .containsExactly(place.normal(manager, new Shape(9), 1).get(":5").toFloatArray());
    assertThat(Seed.of(7).at(3)).isNotEqualTo(Seed.of(7).at(4)).isNotEqualTo(Seed.of(8).at(3));
    assertThat(Seed.of(1).at("a").at("b"))
        .isNotEqualTo(Seed.of(1).at("ab"))
        .isNotEqualTo(Seed.of(1).at("b").at("a"));
  }

  @Test
  void values_never_change_between_versions() {
    assertThat(Seed.of(0).bits(0)).isEqualTo(KNOWN_BITS);
    assertThat(Seed.of(42).at("x").normal(manager, new Shape(3), 1).toFloatArray())
        .containsExactly(KNOWN_NORMAL);
  }

  private static final long KNOWN_BITS = -6411193824288604561L;
  private static final float[] KNOWN_NORMAL = {-0.05604564f, -0.015556825f, -0.2934501f};

  @Test
  void distributions_have_their_moments() {
    float[] u = Seed.of(1).uniform(manager, new Shape(100_000), -2, 4).toFloatArray();
    assertThat(mean(u)).isCloseTo(1, within(0.02));
    assertThat(deviation(u)).isCloseTo(6 / Math.sqrt(12), within(0.02));
    float[] n = Seed.of(2).normal(manager, new Shape(100_001), 3).toFloatArray();
    assertThat(mean(n)).isCloseTo(0, within(0.03));
    assertThat(deviation(n)).isCloseTo(3, within(0.03));
    NDArray mask = Seed.of(3).dropoutMask(manager, new Shape(100, 1000), 0.1);
    float[] m = mask.toFloatArray();
    assertThat(mean(m)).isCloseTo(1, within(0.01));
    assertThat(IntStream.range(0, m.length).filter(i -> m[i] == 0).count())
        .isBetween(9_700L, 10_300L);
    assertThat(mask.max().getFloat()).isEqualTo((float) (1 / 0.9));
  }

  @Test
  void permutations_hold_every_number_once() {
    int[] p = Seed.of(5).permutation(1000);
    assertThat(Arrays.stream(p).sorted().toArray()).isEqualTo(IntStream.range(0, 1000).toArray());
    assertThat(p)
        .isNotEqualTo(Seed.of(6).permutation(1000))
        .isEqualTo(Seed.of(5).permutation(1000));
    for (int i = 0; i < 1000; i++) {
      assertThat(Seed.of(9).below(i, 3)).isBetween(0, 2);
    }
  }

  private static double mean(float[] x) {
    double s = 0;
    for (float v : x) {
      s += v;
    }
    return s / x.length;
  }

  private static double deviation(float[] x) {
    double m = mean(x);
    double s = 0;
    for (float v : x) {
      s += (v - m) * (v - m);
    }
    return Math.sqrt(s / x.length);
  }

  /** The generator that Hugging Face names by seed, against values that PyTorch gave. */
  @Test
  void the_mersenne_twister_is_pytorchs() throws Exception {
    Map<String, ?> file =
        Json.read(Path.of(SeedTest.class.getResource("/golden/hf/torch_random.json").toURI()));
    for (Object o : (List<?>) file.get("seeds")) {
      Map<?, ?> s = (Map<?, ?>) o;
      long seed = ((Number) s.get("seed")).longValue();
      MersenneTwister random = new MersenneTwister(seed);
      for (String hex : words(s.get("uint32"))) {
        assertThat(random.bits()).as("seed " + seed).isEqualTo(Integer.parseUnsignedInt(hex, 16));
      }
      checkUniform(s, seed);
      List<String> order = words(s.get("randperm_12"));
      int[] p = new MersenneTwister(seed).permutation(12, 12);
      assertThat(Arrays.stream(p).mapToObj(Integer::toString).toList()).isEqualTo(order);
      assertThat(new MersenneTwister(seed).permutation(12, 5)).isEqualTo(Arrays.copyOf(p, 5));
      checkNormal(s, seed, 5);
      checkNormal(s, seed, 20);
    }
  }

  /** A processor's logarithm and cosine may differ from ours in the last bits. */
  private void checkNormal(Map<?, ?> s, long seed, int n) {
    List<String> expected = words(s.get("randn_" + n));
    float[] actual = new MersenneTwister(seed).normal(manager, new Shape(n)).toFloatArray();
    for (int i = 0; i < n; i++) {
      float there = Float.intBitsToFloat(Integer.parseUnsignedInt(expected.get(i), 16));
      assertThat(actual[i]).as(n + " of seed " + seed + ", " + i).isCloseTo(there, within(2e-6f));
    }
  }

  private void checkUniform(Map<?, ?> s, long seed) throws IOException {
    for (Object o : (List<?>) s.get("uniform")) {
      Map<?, ?> u = (Map<?, ?>) o;
      float bound = ((Number) u.get("bound")).floatValue();
      List<String> expected = words(u.get("values"));
      float[] actual =
          new MersenneTwister(seed)
              .uniform(manager, new Shape(expected.size()), -bound, bound)
              .toFloatArray();
      for (int i = 0; i < actual.length; i++) {
        assertThat(Integer.toHexString(Float.floatToIntBits(actual[i])))
            .isEqualTo(Integer.toHexString(Integer.parseUnsignedInt(expected.get(i), 16)));
      }
    }
  }

  /** The other generator that Hugging Face names by seed, against values that NumPy gave. */
  @Test
  void pcg64_is_numpys() throws Exception {
    Map<String, ?> file =
        Json.read(Path.of(SeedTest.class.getResource("/golden/methods/numpy_random.json").toURI()));
    for (Object o : (List<?>) file.get("seeds")) {
      Map<?, ?> s = (Map<?, ?>) o;
      long seed = ((Number) s.get("seed")).longValue();
      Pcg64 random = new Pcg64(seed);
      for (String hex : words(s.get("uint64"))) {
        assertThat(random.bits()).as("seed " + seed).isEqualTo(Long.parseUnsignedLong(hex, 16));
      }
      int[] order = IntStream.range(0, 20).toArray();
      new Pcg64(seed).shuffle(order);
      assertThat(texts(order)).isEqualTo(words(s.get("shuffle_20")));
      assertThat(texts(new Pcg64(seed).choice(50, 7))).isEqualTo(words(s.get("choice_7_of_50")));
      assertThat(texts(Arrays.copyOf(new Pcg64(seed).choice(10_007, 300), 12)))
          .isEqualTo(words(s.get("choice_300_of_10007")));
      Pcg64 mixture = new Pcg64(seed);
      int[] indices = IntStream.range(0, 37).map(i -> i / 3).toArray();
      System.arraycopy(mixture.choice(11, 4), 0, indices, 33, 4);
      mixture.shuffle(indices);
      assertThat(texts(indices)).isEqualTo(words(s.get("unilora_37_of_11")));
    }
  }

  private static List<String> texts(int[] values) {
    return Arrays.stream(values).mapToObj(Integer::toString).toList();
  }

  private static List<String> words(Object o) {
    return o instanceof List<?> l
        ? l.stream().map(Object::toString).toList()
        : List.of(o.toString().split(" "));
  }
}
