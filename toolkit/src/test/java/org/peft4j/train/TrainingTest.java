package org.peft4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.engine.Engine;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.peft4j.adapter.PeftModel;
import org.peft4j.reparam.AdaLora;
import org.peft4j.reparam.Full;
import org.peft4j.reparam.Lora;
import org.peft4j.reparam.Relora;
import org.peft4j.reparam.Remora;
import org.peft4j.reparam.Surgical;
import org.peft4j.reparam.Vera;
import org.peft4j.spi.Reparam;
import org.peft4j.tensor.Torch;

@Tag("fast")
class TrainingTest {
  private final SmallTask task = new SmallTask();

  @TempDir Path dir;

  @AfterEach
  void close() {
    task.close();
  }

  private Training run(PeftModel model) {
    return Training.of(model, task.rows(200, 3)).batchSize(16).epochs(3).learningRate(0.02).quiet();
  }

  private static Map<String, float[]> values(PeftModel model) {
    Map<String, float[]> out = new LinkedHashMap<>();
    model.state().forEach((n, p) -> out.put(n, p.getArray().toFloatArray()));
    return out;
  }

  private static void assertSameBits(PeftModel actual, PeftModel expected) {
    Map<String, float[]> e = values(expected);
    values(actual).forEach((n, v) -> assertThat(v).as(n).isEqualTo(e.get(n)));
  }

  static List<Reparam> methods() {
    return List.of(
        SmallTask.LORA,
        new AdaLora(4, 2, 8, 0.1, 0, 3, 5, 2, 0.85, 0.85, 0.1, Map.of()),
        new Vera(8, 0.1, 0.1, 1, true),
        new Relora(),
        new Remora(),
        new Full(),
        new Surgical(true));
  }

  @ParameterizedTest
  @MethodSource("methods")
  void every_method_learns_the_task(Reparam method) {
    try (PeftModel tuned = task.tuned(method)) {
      double before = task.rows(300, 4).evaluate(tuned, 64).main();
      Fit fit =
          run(tuned)
              .epochs(12)
              .learningRate(method instanceof Vera ? 0.1 : 0.02)
              .validate(task.rows(300, 4))
              .run();
      assertThat(before).isLessThan(0.7);
      assertThat(fit.lastEvaluation().metrics().main()).isGreaterThan(0.9);
      assertThat(fit.finalLoss()).isLessThan(0.6 * fit.steps().get(0).loss());
      assertThat(fit.steps()).hasSize(12 * 13);
    }
  }

  @ParameterizedTest
  @MethodSource("methods")
  void a_run_resumed_from_a_checkpoint_goes_on_to_the_bit(Reparam method) {
    Path file = dir.resolve("run.safetensors");
    try (PeftModel whole = task.tuned(method);
        PeftModel first = task.tuned(method);
        PeftModel second = task.tuned(method)) {
      Fit all = run(whole).validate(task.rows(100, 4)).evaluateEvery(5).keepBest().run();
      RunListener stopAt17 =
          new RunListener() {
            @Override
            public void onStep(Step step) {
              if (step.step() == 17) {
                Thread.currentThread().interrupt();
              }
            }
          };
      Training broken =
          run(first)
              .validate(task.rows(100, 4))
              .evaluateEvery(5)
              .keepBest()
              .checkpoint(file, 1)
              .listen(stopAt17);
      assertThat(broken.run().ending()).isEqualTo(Fit.Ending.INTERRUPTED);
      Fit resumed =
          run(second)
              .validate(task.rows(100, 4))
              .evaluateEvery(5)
              .keepBest()
              .checkpoint(file, 1)
              .run();
      assertSameBits(second, whole);
      assertThat(resumed.steps()).hasSameSizeAs(all.steps());
      for (int i = 0; i < all.steps().size(); i++) {
        assertThat(resumed.steps().get(i).loss())
            .as("loss of step " + (i + 1))
            .isEqualTo(all.steps().get(i).loss());
      }
      assertThat(resumed.evaluations()).isEqualTo(all.evaluations());
      assertThat(resumed.bestStep()).isEqualTo(all.bestStep());
    }
  }

  @Test
  void the_same_seed_gives_the_same_bits_and_another_seed_others() {
    try (PeftModel a = task.tuned();
        PeftModel b = task.tuned();
        PeftModel c = task.tuned()) {
      run(a).run();
      run(b).run();
      run(c).seed(1).run();
      assertSameBits(b, a);
      assertThat(values(c).values().iterator().next())
          .isNotEqualTo(values(a).values().iterator().next());
    }
  }

  @Test
  void accumulated_batches_equal_one_large_batch() {
    Reparam noDropout = new Lora();
    try (PeftModel large = task.tuned(noDropout);
        PeftModel small = task.tuned(noDropout)) {
      Objective rows = withoutDropout(task.rows(64, 3));
      Fit a = Training.of(large, rows).inOrder().batchSize(16).epochs(1).clip(0).quiet().run();
      Fit b =
          Training.of(small, rows)
              .inOrder()
              .batchSize(4)
              .accumulate(4)
              .epochs(1)
              .clip(0)
              .quiet()
              .run();
      assertThat(b.steps()).hasSameSizeAs(a.steps());
      for (int i = 0; i < a.steps().size(); i++) {
        assertThat(b.steps().get(i).loss()).isCloseTo(a.steps().get(i).loss(), within(1e-5));
        assertThat(b.steps().get(i).gradientNorm())
            .isCloseTo(a.steps().get(i).gradientNorm(), within(1e-5));
      }
    }
  }

  /** The same loss, computed as in evaluation. */
  private static Objective withoutDropout(Objective rows) {
    return new Objective() {
      @Override
      public int rows() {
        return rows.rows();
      }

      @Override
      public int length(int row) {
        return rows.length(row);
      }

      @Override
      public ai.djl.ndarray.NDArray loss(
          ai.djl.nn.Block model,
          ai.djl.training.ParameterStore store,
          ai.djl.ndarray.NDManager m,
          int[] r,
          boolean training) {
        return rows.loss(model, store, m, r, false);
      }

      @Override
      public Metrics evaluate(ai.djl.nn.Block model, int batchSize) {
        return rows.evaluate(model, batchSize);
      }
    };
  }

  @Test
  void a_run_stops_when_nothing_improves_and_keeps_the_best() {
    try (PeftModel tuned = task.tuned()) {
      Objective validation = task.rows(60, 4);
      Fit fit =
          run(tuned)
              .epochs(200)
              .learningRate(0.05)
              .schedule(Schedule.CONSTANT)
              .validate(validation)
              .evaluateEvery(2)
              .patience(4)
              .keepBest()
              .run();
      assertThat(fit.ending()).isEqualTo(Fit.Ending.NO_IMPROVEMENT);
      double best =
          fit.evaluations().stream().mapToDouble(e -> e.metrics().main()).max().orElseThrow();
      assertThat(validation.evaluate(tuned, 64).main()).isEqualTo(best);
      assertThat(
              fit.evaluations().stream()
                  .filter(e -> e.step() == fit.bestStep())
                  .findFirst()
                  .orElseThrow()
                  .metrics()
                  .main())
          .isEqualTo(best);
      assertThat(fit.toString()).contains("no improvement").contains("(best)");
    }
  }

  @Test
  void listeners_hear_of_everything_in_order() {
    List<String> heard = new ArrayList<>();
    RunListener listener =
        new RunListener() {
          @Override
          public void onBegin(long total, Settings s) {
            heard.add("begin " + total);
          }

          @Override
          public void onStep(Step s) {
            heard.add("step " + s.step());
          }

          @Override
          public void onEvaluation(Evaluation e) {
            heard.add("evaluation " + e.step());
          }

          @Override
          public void onEnd(Fit f) {
            heard.add("end");
          }
        };
    try (PeftModel tuned = task.tuned()) {
      run(tuned)
          .epochs(1)
          .maxSteps(3)
          .evaluateEvery(2)
          .validate(task.rows(20, 4))
          .listen(listener)
          .run();
    }
    assertThat(heard)
        .containsExactly(
            "begin 3", "step 1", "step 2", "evaluation 2", "step 3", "evaluation 3", "end");
  }

  @Test
  void a_second_run_at_the_same_time_is_refused_in_words() {
    Torch.start();
    try (PeftModel tuned = task.tuned();
        GradientCollector other = Engine.getInstance().newGradientCollector()) {
      assertThatThrownBy(() -> run(tuned).run())
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("another training run");
    }
  }

  @Test
  void settings_that_make_no_sense_are_refused_by_name() {
    try (PeftModel tuned = task.tuned()) {
      Training t = run(tuned);
      assertThatThrownBy(() -> t.epochs(0)).hasMessage("epochs: expected more than 0, found 0.0");
      assertThatThrownBy(() -> t.batchSize(0)).hasMessageContaining("batchSize");
      assertThatThrownBy(() -> t.learningRate(Double.NaN))
          .hasMessageContaining("learningRate")
          .hasMessageContaining("NaN");
      assertThatThrownBy(() -> t.warmup(1)).hasMessageContaining("warmup");
      assertThatThrownBy(() -> t.accumulate(0)).hasMessageContaining("accumulate");
      assertThatThrownBy(() -> Training.of(tuned, task.rows(0, 1)).run())
          .hasMessageContaining("training data is empty");
      tuned.mergeInPlace();
      assertThatThrownBy(t::run).hasMessageContaining("unmerge()");
    }
    assertThatThrownBy(
            () -> Training.of(new PeftModel(task.net, List.of(), List.of()), task.rows(5, 1)).run())
        .hasMessageContaining("nothing is trainable");
  }

  @Test
  void a_checkpoint_of_another_run_is_refused_with_all_differences() throws IOException {
    Path file = dir.resolve("run.safetensors");
    try (PeftModel a = task.tuned();
        PeftModel b = task.tuned(new Lora())) {
      run(a).checkpoint(file, 10).run();
      assertThatThrownBy(() -> run(a).learningRate(0.5).seed(9).checkpoint(file, 10).run())
          .hasMessageContaining(file.toString())
          .hasMessageContaining("learningRate: the checkpoint has 0.02, this run 0.5")
          .hasMessageContaining("seed");
      assertThatThrownBy(() -> run(b).checkpoint(file, 10).run())
          .hasMessageContaining("first.lora_A.weight");
      Files.writeString(file, "not a checkpoint");
      assertThatThrownBy(() -> run(a).checkpoint(file, 10).run())
          .hasMessageContaining(file.toString());
    }
  }

  @Test
  void a_diverging_run_says_so_and_leaves_no_gradients() {
    try (PeftModel tuned = task.tuned()) {
      Parameter p = tuned.trainable().values().iterator().next();
      p.getArray().addi(Float.NaN);
      assertThatThrownBy(() -> run(tuned).run())
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("NaN")
          .hasMessageContaining("learning rate");
    }
  }

  @Test
  void adalora_that_was_trained_without_its_schedule_is_not_saved() {
    try (PeftModel tuned =
        task.tuned(new AdaLora(4, 2, 8, 0, 0, 0, 2, 1, 0.85, 0.85, 0.1, Map.of()))) {
      tuned.save(dir.resolve("untrained"), null, null);
      Objective rows = task.rows(20, 1);
      try (var m = Torch.newManager();
          GradientCollector c = Engine.getInstance().newGradientCollector()) {
        c.backward(
            rows.loss(
                tuned, new ai.djl.training.ParameterStore(m, false), m, new int[] {0, 1}, true));
      }
      assertThatThrownBy(() -> tuned.save(dir.resolve("trained"), null, null))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("schedule never ran");
      assertThat(dir.resolve("trained")).doesNotExist();
    }
  }

  @Test
  void adalora_prunes_to_its_budget_and_the_file_says_so() throws IOException {
    AdaLora method = new AdaLora(4, 2, 8, 0, 0, 3, 5, 2, 0.85, 0.85, 0.1, Map.of());
    try (PeftModel tuned = task.tuned(method)) {
      run(tuned).run();
      tuned.save(dir.resolve("pruned"), null, null);
      String config = Files.readString(dir.resolve("pruned/adapter_config.json"));
      long kept = config.lines().filter(l -> l.strip().startsWith("true")).count();
      assertThat(kept).as("2 sites of target rank 2").isEqualTo(4);
      try (PeftModel again =
          new PeftModel(task.net, List.of(), List.of()).load("default", dir.resolve("pruned"))) {
        long rows =
            again.trainable().entrySet().stream()
                .filter(e -> e.getKey().endsWith("lora_E"))
                .mapToLong(e -> e.getValue().getShape().get(0))
                .sum();
        assertThat(rows).isEqualTo(4);
      }
    }
  }
}
