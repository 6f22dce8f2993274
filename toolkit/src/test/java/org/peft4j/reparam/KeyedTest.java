package org.peft4j.reparam;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Parameters;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Torch;

/** What methods that follow from their keys read, fit, and refuse. */
@Tag("fast")
class KeyedTest {
  private static Entries file(Object... entries) {
    Map<String, @Nullable Object> map = new LinkedHashMap<>();
    for (int i = 0; i < entries.length; i += 2) {
      map.put((String) entries[i], entries[i + 1]);
    }
    return new Entries("adapter_config.json", map);
  }

  private static void refuses(Reparam method, long out, long in, String... words) {
    try (NDManager manager = Torch.newManager()) {
      NDArray w = manager.zeros(new Shape(out, in));
      Parameter p = Parameters.of("weight", Parameter.Type.WEIGHT, w, false);
      Site site = new Site("a.b", Kind.LINEAR, null, 0, new Dense(p, null, Operation.LINEAR));
      assertThatThrownBy(() -> method.sized(List.of(site)).declare(site, new Declaration()))
          .isInstanceOf(IllegalArgumentException.class)
          .message()
          .contains(words);
    }
  }

  @Test
  void entries_of_a_file_are_read_and_missing_ones_keep_their_defaults() {
    Entries c =
        file("r", 5L, "delora_lambda", 3L, "rank_pattern", Map.of("q", 2L), "init_weights", false);
    DeLora read = Keyed.read(new DeLora(), c);
    assertThat(read).isEqualTo(new DeLora(5, 3, 0, Map.of("q", 2), Map.of()));
    c.requireAllRead();
    assertThat(Keyed.read(new Miss(), file("init_weights", "bat", "r", 4L)))
        .isEqualTo(new Miss(4, 1, 0, Miss.Form.BAT));
    assertThat(Keyed.read(new Miss(), file("init_weights", true)).form())
        .isEqualTo(Miss.Form.PLAIN);
    assertThat(Keyed.read(new Shira(), file("random_seed", 7L)).placeSeed()).isEqualTo(7);
    assertThat(new Shira().toConfig()).containsEntry("random_seed", Entries.NULL);
    assertThat(new Miss().toConfig()).containsEntry("init_weights", true);
  }

  @Test
  void a_pattern_replaces_a_value_at_the_modules_that_it_names() {
    FourierFt all = new FourierFt(40, 150, 777, Map.of("up", 9, ".*\\.q", 11));
    assertThat(Keys.at(all, "layer.0.up")).isEqualTo(new FourierFt(9, 150, 777, Map.of()));
    assertThat(Keys.at(all, "layer.0.q").frequencies()).isEqualTo(11);
    assertThat(Keys.at(all, "layer.0.cup")).isSameAs(all);
  }

  @Test
  void sizes_left_open_are_the_largest_that_fit() {
    try (NDManager manager = Torch.newManager()) {
      List<Site> sites =
          List.of(new Shape(384, 1536), new Shape(576, 384)).stream()
              .map(s -> Parameters.of("weight", Parameter.Type.WEIGHT, manager.zeros(s), false))
              .map(p -> new Dense(p, null, Operation.LINEAR))
              .map(d -> new Site("x", Kind.LINEAR, null, 0, d))
              .toList();
      assertThat(new C3a().sized(sites).blockSize()).isEqualTo(192);
      assertThat(new Road().sized(sites).groupSize()).isEqualTo(64);
      assertThat(new VbLora().sized(sites).length()).isEqualTo(192);
      assertThat(new C3a(8, Map.of()).sized(sites).blockSize()).isEqualTo(8);
    }
  }

  @Test
  void what_cannot_be_says_what_was_expected_and_what_to_do() {
    refuses(new C3a(5, Map.of()), 12, 8, "block_size", "inputs of a.b (8)", "found 5", "take 4");
    refuses(new Boft(3, 0, 1), 12, 8, "boft_block_size", "found 3", "fix: take 2");
    refuses(new Miss(9, 1, 0, Miss.Form.PLAIN), 12, 8, "r", "inputs of a.b (8)", "found 9");
    refuses(new FourierFt(97, 150, 777, Map.of()), 12, 8, "n_frequency", "(96)", "found 97");
    refuses(new VbLora(2, 9, 3, 2, 0, 0.02, 0.1), 12, 8, "vector_length", "found 3");
    refuses(new SuperTuning(), 12, 8, "sparsity", "at least 1, found 0");
    assertThatThrownBy(() -> new Oft(4, 8, false, 0, false, true, 5))
        .hasMessageContaining("r, oft_block_size")
        .hasMessageContaining("found: 4 and 8");
    assertThatThrownBy(() -> new GraLora(6, 0, 64, 4, 0))
        .hasMessageContaining("gralora_k: expected a divisor of r (6), found 4");
    assertThatThrownBy(() -> new Road(Road.Variant.ONE, 5)).hasMessageContaining("group_size");
    assertThatThrownBy(() -> Keyed.read(new Road(), file("variant", "road_3")))
        .hasMessageContaining("expected: one of [road_1, road_2, road_4]\nfound: road_3");
    assertThatThrownBy(() -> WaveFt.fromConfig(file("wavelet_family", "db4")))
        .hasMessageContaining("wavelet_family\nexpected: db1\nfound: db4");
    assertThatThrownBy(() -> VbLora.fromConfig(file("save_only_topk_weights", true)))
        .hasMessageContaining("save_only_topk_weights");
  }

  @Test
  void files_of_older_rotations_are_refused_where_these_meant_something_else() {
    assertThatThrownBy(() -> Oft.fromConfig(file("r", 4L, "peft_version", "0.10.0")))
        .hasMessageContaining("before PEFT 0.14");
    assertThatThrownBy(() -> Oft.fromConfig(file("oft_block_size", 8L, "use_cayley_neumann", true)))
        .hasMessageContaining("before PEFT 0.18");
    Entries exact = file("oft_block_size", 8L, "use_cayley_neumann", false);
    assertThat(Oft.fromConfig(exact).neumann()).isFalse();
    Entries now =
        file("oft_block_size", 8L, "use_cayley_neumann", true, "peft_version", "0.18.1@abc");
    assertThat(Oft.fromConfig(now).blockSize()).isEqualTo(8);
  }
}
