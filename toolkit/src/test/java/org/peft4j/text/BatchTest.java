package org.peft4j.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("fast")
class BatchTest {
  private final List<Tokens> texts =
      List.of(
          new Tokens(new long[] {2, 4, 3, 5, 3}, Tokens.ones(5), new long[] {0, 0, 0, 1, 1}),
          new Tokens(new long[] {2, 4, 3}, new long[] {1, 0, 1}, new long[] {0, 1, 1}));

  @Test
  void pads_the_end_of_shorter_rows() {
    assertThat(Batch.of(texts, 7, Side.RIGHT))
        .isEqualTo(
            new Batch(
                new long[][] {{2, 4, 3, 5, 3}, {2, 4, 3, 7, 7}},
                new long[][] {{1, 1, 1, 1, 1}, {1, 0, 1, 0, 0}},
                new long[][] {{0, 0, 0, 1, 1}, {0, 1, 1, 0, 0}}));
  }

  @Test
  void pads_the_beginning_of_shorter_rows() {
    assertThat(Batch.of(texts, 7, Side.LEFT))
        .isEqualTo(
            new Batch(
                new long[][] {{2, 4, 3, 5, 3}, {7, 7, 2, 4, 3}},
                new long[][] {{1, 1, 1, 1, 1}, {0, 0, 1, 0, 1}},
                new long[][] {{0, 0, 0, 1, 1}, {0, 0, 0, 1, 1}}));
  }

  @Test
  void rows_may_be_empty_but_not_all_of_them() {
    Batch batch = Batch.of(List.of(Tokens.of(), Tokens.of(5)), 0, Side.RIGHT);
    assertThat(batch.attentionMask()).isDeepEqualTo(new long[][] {{0}, {1}});
    assertThat(batch).hasToString("2 rows of 1 tokens, 50 % padding");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Batch.of(List.of(Tokens.of()), 0, Side.RIGHT))
        .withMessageContaining("found: 1 texts without any");
    assertThatIllegalArgumentException().isThrownBy(() -> Batch.of(List.of(), 0, Side.RIGHT));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Batch.of(texts, -1, Side.RIGHT))
        .withMessageContaining("-1");
  }

  @Test
  void does_not_write_into_the_texts() {
    Batch batch = Batch.of(texts, 0, Side.RIGHT);
    batch.ids()[0][0] = 99;
    assertThat(texts.get(0).ids()[0]).isEqualTo(2);
  }

  @Test
  void tokens_of_different_length_do_not_make_a_text() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Tokens(new long[2], new long[3], new long[2]))
        .withMessageContaining("attentionMask 3");
    assertThat(Tokens.of(4, 5)).hasToString("2 tokens [4, 5]").hasSameHashCodeAs(Tokens.of(4, 5));
    assertThat(Tokens.of(4, 5)).isNotEqualTo(Tokens.of(4, 6));
  }
}
