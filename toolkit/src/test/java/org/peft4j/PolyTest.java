package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.peft4j.Outputs.distance;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Torch;
import org.peft4j.train.Multitask;
import org.peft4j.train.RunListener;

/** A mixture of skills for each task. */
@Tag("fast")
class PolyTest {
  private static final Path BASE = Path.of("src/test/resources/golden/hf/base/bert");

  @Test
  void texts_of_one_batch_are_of_tasks_of_their_own() {
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.poly(model).tasks(3).splits(2).targets("all-linear").apply()) {
      Noise.on(tuned);
      NDArray both = Outputs.of(tuned.task(2, 0), inputs(manager));
      NDArray second = Outputs.of(tuned.task(2), inputs(manager));
      assertThat(distance(both.get(0), second.get(0))).isLessThan(1e-5f);
      NDArray zeroth = Outputs.of(tuned.task(0), inputs(manager));
      assertThat(distance(both.get(1), zeroth.get(1))).isLessThan(1e-5f);
      assertThat(distance(second, zeroth)).isGreaterThan(1e-4f);
      try (Pretrained merged = tuned.task(2).merge()) {
        assertThat(distance(Outputs.of(merged, inputs(manager)), second)).isLessThan(2e-5f);
      }
    }
  }

  @Test
  void the_task_must_be_one_of_those_there_are() {
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.poly(model).tasks(3).apply()) {
      assertThatThrownBy(() -> Outputs.of(tuned, inputs(manager)))
          .hasMessageContaining("numbers from 0 to 2")
          .hasMessageContaining("found: none");
      assertThatThrownBy(() -> Outputs.of(tuned.task(3), inputs(manager)))
          .hasMessageContaining("found: [3]");
      assertThatThrownBy(() -> Outputs.of(tuned.task(1, 2, 0), inputs(manager)))
          .hasMessageContaining("each of 2 texts");
      tuned.task(1).mergeInPlace();
      assertThatThrownBy(() -> tuned.task(2)).hasMessageContaining("unmerge");
    }
  }

  /** The same texts, which are to get one label in one task and another in the other. */
  @Test
  void tasks_that_contradict_each_other_are_learned_together() {
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.poly(model).tasks(2).skills(2).targets("all-linear").apply()) {
      List<RunListener.Step> steps =
          tuned
              .fit(
                  new Multitask(
                      List.of(
                          new FewTexts(PolyTest::inputs, List.of(0L, 0L)),
                          new FewTexts(PolyTest::inputs, List.of(1L, 1L)))))
              .epochs(60)
              .learningRate(0.03)
              .warmup(0)
              .batchSize(4)
              .quiet()
              .run()
              .steps();
      assertThat(steps.get(0).loss()).isGreaterThan(0.6);
      for (int task = 0; task < 2; task++) {
        NDArray answers = Outputs.of(tuned.task(task), inputs(manager)).argMax(1);
        assertThat(answers.toLongArray()).as("task " + task).containsOnly(task);
      }
    }
  }

  private static NDList inputs(NDManager manager) {
    NDArray ids = manager.create(new long[][] {{4, 9, 11, 3}, {8, 7, 5, 21}});
    return new NDList(ids, ids.onesLike(), ids.zerosLike());
  }
}
