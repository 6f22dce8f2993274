package org.peft4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("fast")
class SplitsTest {
  /** 700 texts of label 0, 200 of 1, 90 of 2, 10 of 3. */
  private static Examples uneven() {
    return new Examples(
        IntStream.range(0, 1000)
            .mapToObj(i -> new Example("t" + i, i < 700 ? 0 : i < 900 ? 1 : i < 990 ? 2 : 3))
            .toList(),
        List.of("a", "b", "c", "d"));
  }

  @Test
  void every_label_has_its_share_in_every_part() {
    Splits splits = uneven().split(1);
    assertThat(splits.test().counts().values()).containsExactly(70, 20, 9, 1);
    assertThat(splits.validation().counts().values()).containsExactly(35, 10, 5, 0);
    assertThat(splits.train().counts().values()).containsExactly(595, 170, 76, 9);
    Set<String> texts = new HashSet<>(splits.train().texts());
    texts.addAll(splits.validation().texts());
    texts.addAll(splits.test().texts());
    assertThat(texts).hasSize(1000);
    assertThat(splits.size()).isEqualTo(1000);
    assertThat(splits.labels()).containsExactly("a", "b", "c", "d");
  }

  @Test
  void parts_come_in_random_order() {
    List<Integer> labels =
        uneven().split(1).train().take(100).stream().map(Example::label).toList();
    assertThat(labels).contains(0, 1, 2).isNotEqualTo(labels.stream().sorted().toList());
  }

  @Test
  void the_seed_decides() {
    assertThat(uneven().split(1)).isEqualTo(uneven().split(1));
    assertThat(new HashSet<>(uneven().split(1).test().texts()))
        .isNotEqualTo(new HashSet<>(uneven().split(2).test().texts()));
  }

  @Test
  void texts_that_differ_in_case_and_spaces_stay_together() {
    List<Example> rows = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      rows.add(new Example("Some text " + i, 0));
      rows.add(new Example("some  TEXT\t" + i + " ", 1));
    }
    Splits splits = new Examples(rows, List.of("a", "b")).split(9);
    for (Examples part : List.of(splits.train(), splits.validation(), splits.test())) {
      Set<String> distinct = new HashSet<>();
      part.forEach(row -> distinct.add(Spaces.single(row.text()).toLowerCase(Locale.ROOT)));
      assertThat(part.size()).isEqualTo(2 * distinct.size());
    }
  }

  @Test
  void the_largest_group_trains_and_groups_stay_whole() {
    int[] group = IntStream.range(0, 1000).map(i -> i < 30 ? 0 : 1 + (i - 30) / 3).toArray();
    for (long seed = 0; seed < 20; seed++) {
      Splits splits = Deal.splits(uneven(), group, seed);
      assertThat(splits.train().texts()).contains("t0", "t29");
      assertThat(splits.test().size()).isBetween(95, 100);
      assertThat(splits.validation().size()).isBetween(45, 50);
      for (Examples part : List.of(splits.validation(), splits.test())) {
        Set<Integer> groups = new HashSet<>();
        part.forEach(row -> groups.add(group[Integer.parseInt(row.text().substring(1))]));
        assertThat(part.size()).isEqualTo(Math.min(part.size(), 3 * groups.size()));
        assertThat(
                groups.stream()
                    .mapToInt(g -> (int) IntStream.of(group).filter(x -> x == g).count())
                    .sum())
            .isEqualTo(part.size());
      }
    }
  }

  @Test
  void a_group_that_is_turned_down_takes_no_room() {
    // 150 texts of label 0, 50 of them tied to the only text of another label; 200 of label 1
    List<Example> rows = new ArrayList<>();
    IntStream.range(0, 150).forEach(i -> rows.add(new Example("a" + i, 0)));
    IntStream.range(0, 200).forEach(i -> rows.add(new Example("b" + i, 1)));
    IntStream.range(0, 50).forEach(i -> rows.add(new Example("c" + i, 2 + i)));
    List<String> labels = IntStream.range(0, 52).mapToObj(i -> "label" + i).toList();
    int[] group = IntStream.range(0, 400).map(i -> i < 350 ? i : i - 350).toArray();
    for (long seed = 0; seed < 20; seed++) {
      Examples test = Deal.splits(new Examples(rows, labels), group, seed).test();
      assertThat(test.size()).isEqualTo(40);
      assertThat(test.counts().get("label0")).isGreaterThanOrEqualTo(15);
      assertThat(test.counts().get("label1")).isGreaterThanOrEqualTo(20);
    }
  }

  @Test
  void every_label_keeps_a_text_to_train_on() {
    List<Example> rows = new ArrayList<>();
    IntStream.range(0, 15).forEach(i -> rows.add(new Example("t" + i, 0)));
    IntStream.range(1, 11).forEach(i -> rows.add(new Example("lonely" + i, i)));
    List<String> labels = IntStream.range(0, 11).mapToObj(i -> "label" + i).toList();
    for (long seed = 0; seed < 30; seed++) {
      Splits splits = new Examples(rows, labels).split(seed);
      assertThat(splits.train().counts().values()).allMatch(n -> n > 0);
      assertThat(splits.test().size()).isEqualTo(3);
      assertThat(splits.validation().size()).isEqualTo(1);
    }
  }

  @Test
  void the_smallest_set_has_three_different_texts() {
    Examples three = Examples.of(List.of("a", "b", "c"), List.of("x", "x", "x"));
    assertThat(three.split(1).toString())
        .isEqualTo("3 examples, 1 labels: train 1, validation 1, test 1");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Examples.of(List.of("a", "b", "B "), List.of("x", "x", "x")).split(1))
        .withMessageContaining("too few different examples")
        .withMessageContaining("3 examples in 2 groups");
  }

  @Test
  void parts_must_agree_on_labels() {
    Examples a = Examples.of(List.of("t"), List.of("x"));
    Examples b = Examples.of(List.of("t"), List.of("y"));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Splits(a, a, b))
        .withMessageContaining("[x]")
        .withMessageContaining("[y]")
        .withMessageContaining("withLabels");
  }

  @Test
  void prints_the_distribution_of_labels() {
    assertThat(uneven().split(1).distribution())
        .isEqualTo(
            """
                           train       validation             test
            all      850 100.0 %       50 100.0 %      100 100.0 %
            a        595  70.0 %       35  70.0 %       70  70.0 %
            b        170  20.0 %       10  20.0 %       20  20.0 %
            c         76   8.9 %        5  10.0 %        9   9.0 %
            d          9   1.1 %        0   0.0 %        1   1.0 %""");
  }
}
