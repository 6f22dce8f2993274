package org.peft4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("fast")
class ExamplesTest {
  private static Examples numbered(int n, int labels) {
    return new Examples(
        IntStream.range(0, n).mapToObj(i -> new Example("text " + i, i % labels)).toList(),
        IntStream.range(0, labels).mapToObj(i -> "label" + i).toList());
  }

  @Test
  void numbers_labels_alphabetically_or_by_value() {
    Examples words = Examples.of(List.of("x", "y", "z"), List.of("pos", "neg", "pos"));
    assertThat(words.labels()).containsExactly("neg", "pos");
    assertThat(words.rows())
        .containsExactly(new Example("x", 1), new Example("y", 0), new Example("z", 1));
    assertThat(Examples.of(List.of("x", "y", "z"), List.of("10", "-1", "9")).labels())
        .containsExactly("-1", "9", "10");
    assertThat(Examples.of(List.of("x", "y"), List.of("10", "9a")).labels())
        .containsExactly("10", "9a");
  }

  @Test
  void refuses_nothing_and_labels_without_a_name() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Examples(List.of(), List.of("a")))
        .withMessageContaining("no examples")
        .withMessageContaining("fix: ");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Examples.of(List.of("x"), List.of()))
        .withMessageContaining("expected: 1 labels");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                new Examples(
                    List.of(new Example("x", 0), new Example("y", 2), new Example("z", -1)),
                    List.of("a", "b")))
        .withMessageContaining("example:1: label 2")
        .withMessageContaining("example:2: label -1")
        .withMessageContaining("expected: a label from 0 to 1")
        .withMessageContaining("fix: ");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Examples(List.of(new Example("x", 0)), List.of("a", "a")))
        .withMessageContaining("no two alike");
  }

  @Test
  void takes_the_first_ones() {
    assertThat(numbered(5, 2).take(2).texts()).containsExactly("text 0", "text 1");
    assertThat(numbered(5, 2).take(5)).isEqualTo(numbered(5, 2));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> numbered(5, 2).take(6))
        .withMessageContaining("1 to 5")
        .withMessageContaining("found: 6");
    assertThatIllegalArgumentException().isThrownBy(() -> numbered(5, 2).take(0));
  }

  @Test
  void shuffles_and_samples_by_seed() {
    Examples all = numbered(50, 3);
    assertThat(all.shuffled(1).rows()).containsExactlyInAnyOrderElementsOf(all.rows());
    assertThat(all.shuffled(1)).isEqualTo(all.shuffled(1)).isNotEqualTo(all);
    assertThat(all.shuffled(1)).isNotEqualTo(all.shuffled(2));
    assertThat(new HashSet<>(all.sample(20, 4).texts())).hasSize(20);
    assertThat(all.sample(20, 4)).isEqualTo(all.sample(20, 4)).isNotEqualTo(all.take(20));
  }

  @Test
  void counts_every_label_also_those_without_a_text() {
    Examples data =
        new Examples(List.of(new Example("x", 2), new Example("y", 2)), List.of("a", "b", "c"));
    assertThat(data.counts())
        .containsExactly(Map.entry("a", 0), Map.entry("b", 0), Map.entry("c", 2));
    assertThat(data.label(data.get(1))).isEqualTo("c");
    assertThat(data).hasSize(2);
    assertThat(data.stream().map(Example::text)).containsExactly("x", "y");
  }

  @Test
  void does_not_change_with_the_lists_it_was_made_of() {
    List<Example> rows = new ArrayList<>(List.of(new Example("x", 0)));
    Examples data = new Examples(rows, List.of("a"));
    rows.add(new Example("y", 0));
    assertThat(data.size()).isEqualTo(1);
  }

  @Test
  void takes_over_the_label_numbers_of_another_set() {
    Examples test = Examples.of(List.of("x", "y"), List.of("neutral", "bad"));
    assertThat(test.withLabels(List.of("bad", "good", "neutral")).rows())
        .containsExactly(new Example("x", 2), new Example("y", 0));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> test.withLabels(List.of("good", "bad")))
        .withMessageContaining("found: [neutral]");
  }

  @Test
  void prints_a_short_table() {
    List<Example> rows =
        List.of(
            new Example("first\nline and " + "more ".repeat(30), 6),
            new Example("second", 0),
            new Example("third", 6));
    assertThat(new Examples(rows, List.of("a", "b", "c", "d", "e", "f", "longest")))
        .hasToString(
            """
            3 examples, 7 labels
              longest        2  66.7 %
              a              1  33.3 %
              b              0   0.0 %
              c              0   0.0 %
              d              0   0.0 %
              and 2 more
            longest: first line and more more more more more more more more more more more...
            a: second""");
  }
}
