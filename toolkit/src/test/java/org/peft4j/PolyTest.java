package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.CrossEntropy;
import org.peft4j.tensor.Torch;
import org.peft4j.train.Metrics;
import org.peft4j.train.Multitask;
import org.peft4j.train.Objective;
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
      NDArray both = logits(tuned.task(2, 0), manager);
      NDArray second = logits(tuned.task(2), manager);
      assertThat(distance(both.get(0), second.get(0))).isLessThan(1e-5f);
      NDArray zeroth = logits(tuned.task(0), manager);
      assertThat(distance(both.get(1), zeroth.get(1))).isLessThan(1e-5f);
      assertThat(distance(second, zeroth)).isGreaterThan(1e-4f);
      try (Pretrained merged = tuned.task(2).merge()) {
        assertThat(distance(logits(merged, manager), second)).isLessThan(2e-5f);
      }
    }
  }

  @Test
  void the_task_must_be_one_of_those_there_are() {
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.poly(model).tasks(3).apply()) {
      assertThatThrownBy(() -> logits(tuned, manager))
          .hasMessageContaining("numbers from 0 to 2")
          .hasMessageContaining("found: none");
      assertThatThrownBy(() -> logits(tuned.task(3), manager)).hasMessageContaining("found: [3]");
      assertThatThrownBy(() -> logits(tuned.task(1, 2, 0), manager))
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
              .fit(new Multitask(List.of(new Always(0), new Always(1))))
              .epochs(60)
              .learningRate(0.03)
              .warmup(0)
              .batchSize(4)
              .quiet()
              .run()
              .steps();
      assertThat(steps.get(0).loss()).isGreaterThan(0.6);
      for (int task = 0; task < 2; task++) {
        NDArray answers = logits(tuned.task(task), manager).argMax(1);
        assertThat(answers.toLongArray()).as("task " + task).containsOnly(task);
      }
    }
  }

  private static NDArray logits(Block model, NDManager manager) {
    NDArray ids = manager.create(new long[][] {{4, 9, 11, 3}, {8, 7, 5, 21}});
    NDList in = new NDList(ids, ids.onesLike(), ids.zerosLike());
    return Torch.inference(
        () -> model.forward(new ParameterStore(manager, false), in, false).get(0));
  }

  private static float distance(NDArray a, NDArray b) {
    return a.sub(b).abs().max().getFloat();
  }

  /** Two texts that are to get the same label. */
  private record Always(long label) implements Objective {
    @Override
    public int rows() {
      return 2;
    }

    @Override
    public int length(int row) {
      return 4;
    }

    @Override
    public NDArray loss(
        Block model, ParameterStore store, NDManager manager, int[] rows, boolean training) {
      NDArray ids = manager.create(new long[][] {{4, 9, 11, 3}, {8, 7, 5, 21}});
      NDList in = new NDList(ids, ids.onesLike(), ids.zerosLike());
      NDArray logits = model.forward(store, in, training).get(0);
      return CrossEntropy.mean(logits, manager.create(new long[] {label, label}));
    }

    @Override
    public Metrics evaluate(Block model, int batchSize) {
      throw new UnsupportedOperationException();
    }
  }
}
