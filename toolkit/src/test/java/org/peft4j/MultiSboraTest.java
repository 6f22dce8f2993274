package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.Sbora;

/** Tasks on basis vectors of their own merge into one model without touching each other. */
@Tag("fast")
class MultiSboraTest {
  private static final Path LLAMA = Path.of("src/test/resources/golden/hf/base/llama");
  private static final String WEIGHT = "model.layers.1.self_attn.q_proj.weight";
  private static final int RANK = 3;

  private static Tuned attach(Pretrained model, boolean columns, int task) {
    Sbora.Options<Tuned> method = columns ? Peft.sboraFa(model) : Peft.sboraFb(model);
    Tuned tuned = method.rank(RANK).task(task).targets("q", "v").seed(5 + task).apply();
    Noise.on(tuned);
    return tuned;
  }

  /** Column j, or row j, of the weight. */
  private static float[] line(Pretrained model, boolean columns, int j) {
    NDArray w = model.tensors().get(WEIGHT);
    try (NDArray one = columns ? w.get(":, " + j) : w.get(j)) {
      return one.toFloatArray();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void merged_tasks_keep_each_their_own_lines_bit_for_bit(boolean columns) {
    try (Pretrained base = Models.load(LLAMA);
        Tuned first = attach(base, columns, 0);
        Tuned second = attach(base, columns, 1);
        Pretrained a = first.merge();
        Pretrained b = second.merge();
        Tuned onTop = attach(a, columns, 1);
        Pretrained both = onTop.merge()) {
      List<Integer> ofFirst = new ArrayList<>();
      List<Integer> ofSecond = new ArrayList<>();
      int size = (int) base.tensors().get(WEIGHT).getShape().get(columns ? 1 : 0);
      for (int j = 0; j < size; j++) {
        float[] before = line(base, columns, j);
        boolean changedByFirst = !java.util.Arrays.equals(line(a, columns, j), before);
        boolean changedBySecond = !java.util.Arrays.equals(line(b, columns, j), before);
        assertThat(changedByFirst && changedBySecond).as("line " + j).isFalse();
        float[] expected = changedByFirst ? line(a, columns, j) : line(b, columns, j);
        assertThat(line(both, columns, j)).as("line " + j).isEqualTo(expected);
        if (changedByFirst) {
          ofFirst.add(j);
        }
        if (changedBySecond) {
          ofSecond.add(j);
        }
      }
      assertThat(ofFirst).hasSize(RANK);
      assertThat(ofSecond).hasSize(RANK);
    }
  }
}
