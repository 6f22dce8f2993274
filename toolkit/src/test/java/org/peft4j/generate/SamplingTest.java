package org.peft4j.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.tensor.Seed;

@Tag("fast")
class SamplingTest {
  /** Probabilities 0.4, 0.3, 0.2, 0.1. */
  private static float[] scores() {
    return new float[] {
      (float) Math.log(0.2), (float) Math.log(0.4), (float) Math.log(0.1), (float) Math.log(0.3)
    };
  }

  private static double[] frequencies(Sampling how, int draws) {
    double[] f = new double[4];
    for (int i = 0; i < draws; i++) {
      f[how.choose(scores(), new long[0], 0, Seed.of(5).at(i))] += 1.0 / draws;
    }
    return f;
  }

  private static Set<Integer> chosen(Sampling how) {
    Set<Integer> out = new TreeSet<>();
    for (int i = 0; i < 2000; i++) {
      out.add(how.choose(scores(), new long[0], 0, Seed.of(9).at(i)));
    }
    return out;
  }

  @Test
  void tokens_come_as_often_as_their_probabilities_say() {
    double[] f = frequencies(new Sampling(1, 0, 1, 0, 1), 20_000);
    assertThat(f).containsExactly(new double[] {0.2, 0.4, 0.1, 0.3}, within(0.015));
    double[] sharp = frequencies(new Sampling(0.5, 0, 1, 0, 1), 20_000);
    assertThat(sharp) // squares of the probabilities, over their sum
        .containsExactly(
            new double[] {0.04 / 0.3, 0.16 / 0.3, 0.01 / 0.3, 0.09 / 0.3}, within(0.015));
  }

  @Test
  void filters_leave_what_they_say() {
    assertThat(chosen(Sampling.GREEDY)).containsExactly(1);
    assertThat(chosen(new Sampling(1, 1, 1, 0, 1))).containsExactly(1);
    assertThat(chosen(new Sampling(1, 2, 1, 0, 1))).containsExactly(1, 3);
    assertThat(chosen(new Sampling(1, 0, 0.3, 0, 1))).containsExactly(1);
    assertThat(chosen(new Sampling(1, 0, 0.65, 0, 1))).containsExactly(1, 3);
    assertThat(chosen(new Sampling(1, 0, 0.85, 0, 1))).containsExactly(0, 1, 3);
    assertThat(chosen(new Sampling(1, 0, 1, 0.6, 1))).containsExactly(1, 3);
    assertThat(chosen(new Sampling(1, 0, 1, 0, 1))).containsExactly(0, 1, 2, 3);
  }

  @Test
  void a_penalty_acts_on_tokens_seen_before_once_each() {
    float[] scores = {2, 1.5f, -1};
    int next = new Sampling(0, 0, 1, 0, 2).choose(scores, new long[] {0, 0, 2, 1}, 3, Seed.of(0));
    assertThat(scores).containsExactly(1, 1.5f, -2);
    assertThat(next).isEqualTo(1);
  }

  @Test
  void wrong_settings_are_refused_by_name() {
    assertThatThrownBy(() -> new Sampling(-1, 0, 1, 0, 1)).hasMessageContaining("temperature");
    assertThatThrownBy(() -> new Sampling(Double.NaN, 0, 1, 0, 1))
        .hasMessageContaining("temperature");
    assertThatThrownBy(() -> new Sampling(1, -1, 1, 0, 1)).hasMessageContaining("topK");
    assertThatThrownBy(() -> new Sampling(1, 0, 0, 0, 1)).hasMessageContaining("topP");
    assertThatThrownBy(() -> new Sampling(1, 0, 1, 2, 1)).hasMessageContaining("minP");
    assertThatThrownBy(() -> new Sampling(1, 0, 1, 0, 0)).hasMessageContaining("repetitionPenalty");
  }
}
