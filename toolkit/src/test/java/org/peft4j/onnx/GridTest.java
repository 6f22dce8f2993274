package org.peft4j.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What a recorded number is in terms of the sizes. */
@Tag("fast")
class GridTest {
  private interface Recorded {
    long at(Map<String, Long> sizes);
  }

  private static String solved(Grid grid, Recorded n) {
    long[] samples = IntStream.range(0, grid.count()).mapToLong(i -> n.at(grid.sizes(i))).toArray();
    Symbol symbol = grid.solve(samples);
    return symbol == null ? "none" : symbol.text(grid.names());
  }

  @Test
  void finds_sums_of_products_exactly() {
    Grid grid = new Grid(List.of("b", "s", "p"), Map.of());
    assertThat(grid.count()).isEqualTo(9);
    assertThat(solved(grid, s -> 7)).isEqualTo("7");
    assertThat(solved(grid, s -> 0)).isEqualTo("0");
    assertThat(solved(grid, s -> Long.MAX_VALUE)).isEqualTo(Long.toString(Long.MAX_VALUE));
    assertThat(solved(grid, s -> s.get("s"))).isEqualTo("s");
    assertThat(solved(grid, s -> s.get("s") + s.get("p") - 1)).isEqualTo("s + p - 1");
    assertThat(solved(grid, s -> 12 * s.get("b") * s.get("s") * s.get("p"))).isEqualTo("12*b*s*p");
    assertThat(solved(grid, s -> 3 - 2 * s.get("b") + 5 * s.get("b") * s.get("p")))
        .isEqualTo("-2*b + 5*b*p + 3");
    assertThat(solved(grid, s -> (s.get("b") + 1) * (s.get("s") - 1)))
        .isEqualTo("-b + s + b*s - 1");
  }

  @Test
  void refuses_all_else() {
    for (Grid grid :
        List.of(new Grid(List.of("s"), Map.of()), new Grid(List.of("b", "s"), Map.of()))) {
      assertThat(solved(grid, s -> s.get("s") / 2)).isEqualTo("none");
      assertThat(solved(grid, s -> (s.get("s") + 1) / 2)).isEqualTo("none");
      assertThat(solved(grid, s -> s.get("s") * s.get("s"))).isEqualTo("none");
      assertThat(solved(grid, s -> Math.max(s.get("s"), grid.names().size() == 1 ? 3 : 6)))
          .isEqualTo("none");
      assertThat(solved(grid, s -> s.get("s") % 2)).isEqualTo("none");
    }
  }

  @Test
  void traces_at_sizes_that_tell_dimensions_apart() {
    Grid grid = new Grid(List.of("b", "s"), Map.of("s", new long[] {16, 32, 48}));
    assertThat(IntStream.range(0, grid.count()).mapToObj(grid::describe))
        .containsExactly("b=2, s=16", "b=3, s=16", "b=2, s=32", "b=3, s=32", "b=4, s=48");
    assertThat(solved(grid, s -> s.get("s") / 2))
        .isEqualTo("none"); // half of a size is no whole factor
    assertThat(new Grid(List.of(), Map.of()).describe(1)).isEqualTo("fixed sizes");
  }

  @Test
  void dimensions_are_read_from_text() {
    assertThat(Dim.of(5)).isEqualTo(new Dim("5", new java.util.TreeMap<>(), 5));
    assertThat(Dim.of("batch").at(Map.of("batch", 3L))).isEqualTo(3);
    assertThat(Dim.of("total = past + 2*sequence + 1").at(Map.of("past", 3L, "sequence", 4L)))
        .isEqualTo(12);
    assertThat(Dim.of("total = past + sequence")).hasToString("total");
    assertThat(Dim.of("past + sequence")).hasToString("past + sequence");
    assertThat(Dim.of("7").fixed()).isTrue();
    for (Object wrong : List.of("", "a-b", "2 a", "a +", "= a", -1, 1.5)) {
      org.assertj.core.api.Assertions.assertThatIllegalArgumentException()
          .isThrownBy(() -> Dim.of(wrong))
          .withMessageContaining("found");
    }
    org.assertj.core.api.Assertions.assertThatIllegalArgumentException()
        .isThrownBy(() -> Dim.of("a").at(Map.of("b", 1L)))
        .withMessageContaining("\"a\"");
    assertThat(Objects.hash(Dim.of("a + b"))).isEqualTo(Objects.hash(Dim.of("a + b")));
  }
}
