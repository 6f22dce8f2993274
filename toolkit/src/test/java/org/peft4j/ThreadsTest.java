package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Torch;

/** Several threads answer with one model at a time, and two adapted models share one base. */
@Tag("fast")
class ThreadsTest {
  private static Pretrained base() {
    try {
      return Models.load(
          Path.of(ThreadsTest.class.getResource("/golden/hf/base/bert/config.json").toURI())
              .getParent());
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  private static float[] answer(Block model, long seed) {
    try (NDManager m = Torch.newManager()) {
      long[] ids = new long[2 * 9];
      for (int i = 0; i < ids.length; i++) {
        ids[i] = Math.floorMod(seed * 31 + i * 7L, 60);
      }
      NDList in = new NDList(Buffers.create(m, ids, new Shape(2, 9)));
      return model.forward(new ParameterStore(m, false), in, false).get(0).toFloatArray();
    }
  }

  @Test
  void answers_are_the_same_from_every_thread() throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(8);
    try (Pretrained model = base();
        Tuned a = Peft.lora(model).targets("q", "v").seed(1).apply();
        Tuned b = Peft.vera(model).rank(16).targets("all-linear").apply()) {
      a.trainable().values().forEach(p -> p.getArray().addi(0.1f));
      b.trainable().values().forEach(p -> p.getArray().addi(0.2f));
      List<Block> models = List.of(model, a, b);
      List<List<float[]>> expected = new ArrayList<>();
      for (Block m : models) {
        List<float[]> answers = new ArrayList<>();
        for (int s = 0; s < 5; s++) {
          answers.add(answer(m, s));
        }
        expected.add(answers);
      }
      assertThat(expected.get(1).get(0)).isNotEqualTo(expected.get(0).get(0));
      List<Future<float[]>> results = new ArrayList<>();
      for (int i = 0; i < 240; i++) {
        int n = i;
        results.add(pool.submit(() -> answer(models.get(n % 3), n / 3 % 5)));
      }
      for (int i = 0; i < results.size(); i++) {
        assertThat(results.get(i).get())
            .as("answer " + i)
            .usingComparatorWithPrecision(1e-6f)
            .containsExactly(expected.get(i % 3).get(i / 3 % 5));
      }
    } finally {
      pool.shutdown();
    }
  }
}
