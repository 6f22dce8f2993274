package org.peft4j.notebook;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What is kept of long values. */
@Tag("fast")
class ExcerptTest {
  @Test
  void what_is_short_is_kept_as_it_is() {
    for (Object value :
        new Object[] {null, "text", 3, new int[200], new double[][] {{1}, {2, 3}}, new Object[0]}) {
      assertThat(Excerpt.of(value)).isSameAs(value);
    }
  }

  @Test
  void long_arrays_begin_the_same() {
    long[] value = new long[201];
    value[199] = 7;

    assertThat((long[]) Excerpt.of(value)).hasSize(200).endsWith(7);
    assertThat((String[]) Excerpt.of(new String[1000])).hasSize(200);
  }

  @Test
  void arrays_in_arrays_are_shortened_each() {
    float[][] value = {new float[1000], {1}, null};

    float[][] kept = (float[][]) Excerpt.of(value);

    assertThat(kept.length).isEqualTo(3);
    assertThat(kept[0]).hasSize(100);
    assertThat(kept[1]).isSameAs(value[1]);
    assertThat(kept[2]).isNull();
    assertThat((Object[]) Excerpt.of(new int[500][2])).hasSize(100);
  }

  @Test
  void of_long_strings_the_first_characters_are_kept() {
    assertThat((String) Excerpt.of("ab".repeat(100_000))).hasSize(100_000).startsWith("abab");
  }
}
