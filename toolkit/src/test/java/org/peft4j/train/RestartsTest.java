package org.peft4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.peft4j.Peft;
import org.peft4j.adapter.PeftModel;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.reparam.Lora;
import org.peft4j.reparam.LoraInit;
import org.peft4j.reparam.Mora;
import org.peft4j.reparam.Relora;
import org.peft4j.reparam.Remora;
import org.peft4j.reparam.Restarts;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Svd;
import org.peft4j.tensor.Torch;

/** ReLoRA and ReMoRA: what a restart does to weights, moments and learning rate. */
@Tag("fast")
class RestartsTest {
  private static final Restarts EVERY_3 = new Restarts(3, 0.67, 0.9);
  private static final Lora RANK_1 =
      new Lora(1, 2, 0.1, false, false, LoraInit.KAIMING, Map.of(), Map.of());
  private static final Relora RELORA = new Relora(RANK_1, EVERY_3);
  private static final Remora REMORA = new Remora(new Mora(1, Mora.Operator.TRUNCATION), EVERY_3);
  private static final String D = "default:first.merged.weight";

  private final SmallTask task = new SmallTask();

  @TempDir Path dir;

  @AfterEach
  void close() {
    task.close();
  }

  private Training run(PeftModel model, long steps) {
    return Training.of(model, task.rows(200, 3))
        .batchSize(16)
        .learningRate(0.02)
        .maxSteps(steps)
        .quiet();
  }

  private static Map<String, float[]> values(PeftModel model) {
    Map<String, float[]> out = new LinkedHashMap<>();
    model.state().forEach((n, p) -> out.put(n, p.getArray().toFloatArray()));
    return out;
  }

  private static NDArray value(PeftModel model, String name) {
    Parameter p = Objects.requireNonNull(model.state().get(name), name);
    return p.getArray();
  }

  private NDArray output(Block model) {
    NDArray x = Seed.of(8).normal(task.manager, new Shape(20, 6), 1);
    return Torch.inference(
        () ->
            model
                .forward(new ParameterStore(task.manager, false), new NDList(x), false)
                .singletonOrThrow());
  }

  private static double distance(NDArray a, NDArray b) {
    return a.sub(b).abs().max().getFloat();
  }

  private static long rank(NDArray matrix) {
    double[] s = Svd.of(matrix.toType(DataType.FLOAT64, true)).s().toDoubleArray();
    return Arrays.stream(s).filter(x -> x > 1e-5 * s[0]).count();
  }

  // ---- the restart itself

  static Stream<Arguments> restarting() {
    return Stream.of(
        Arguments.of(RELORA, List.of("lora_B.weight"), List.of("lora_A.weight")),
        Arguments.of(
            new Relora(RANK_1, new Restarts(0, 0.1, 0.9)),
            List.of("lora_B.weight"),
            List.of("lora_A.weight")),
        Arguments.of(REMORA, List.of("mora_M"), List.of("remora_in", "remora_out")));
  }

  @ParameterizedTest
  @MethodSource("restarting")
  void a_restart_keeps_the_weights_and_starts_the_factors_anew(
      Reparam method, List<String> zeroed, List<String> drawn) {
    try (PeftModel a = task.tuned(method);
        PeftModel b = task.tuned(method)) {
      for (PeftModel m : List.of(a, b)) {
        run(m, 2).run();
      }
      Map<String, float[]> before = values(a);
      NDArray expected = output(a);
      assertThat(distance(expected, output(task.net))).as("it has learned").isGreaterThan(1e-3);
      a.learning().afterStep(2, 12);
      assertThat(values(a))
          .as("no restart after step 2")
          .usingRecursiveComparison()
          .isEqualTo(before);
      a.learning().afterStep(3, 12);
      b.learning().afterStep(3, 12);
      Map<String, float[]> after = values(a);
      assertThat(distance(output(a), expected)).as("the same output").isLessThan(2e-6);
      assertThat(distance(value(a, D), value(a, D).zerosLike())).isGreaterThan(1e-3);
      for (String site : List.of("default:first.", "default:second.")) {
        zeroed.forEach(n -> assertThat(after.get(site + n)).as(n).containsOnly(0));
      }
      drawn.forEach(
          n ->
              assertThat(after.get("default:first." + n))
                  .as(n)
                  .isNotEqualTo(before.get("default:first." + n)));
      assertThat(values(b))
          .as("drawn from seed and step")
          .usingRecursiveComparison()
          .isEqualTo(after);
      b.learning().afterStep(6, 12);
      drawn.forEach(
          n ->
              assertThat(values(b).get("default:first." + n))
                  .as("another step, others")
                  .isNotEqualTo(after.get("default:first." + n)));
      a.learning().afterStep(12, 12);
      assertThat(values(a)).as("none at the end").usingRecursiveComparison().isEqualTo(after);
    }
  }

  @Test
  void what_does_not_start_without_an_effect_cannot_start_over() {
    assertThatThrownBy(
            () ->
                new Relora(
                    new Lora(2, 2, 0, false, false, LoraInit.PISSA, Map.of(), Map.of()), EVERY_3))
        .hasMessageContaining("kaiming or gaussian, found pissa");
    assertThatThrownBy(
            () ->
                new Relora(
                    new Lora(2, 2, 0, false, true, LoraInit.KAIMING, Map.of(), Map.of()), EVERY_3))
        .hasMessageContaining("lora_bias");
    assertThatThrownBy(() -> new Restarts(-1, 0.1, 0.9)).hasMessageContaining("restart_every");
    assertThatThrownBy(() -> new Restarts(3, 1, 0.9)).hasMessageContaining("restart_warmup");
    assertThatThrownBy(() -> new Restarts(3, 0.1, 1.5)).hasMessageContaining("found 1.5");
  }

  @Test
  void the_options_say_when_and_how_much() {
    var relora = Peft.relora(task.net).rank(4).alpha(16).every(200).warmup(0.05).prune(0.9);
    Lora lora = new Lora(4, 16, 0, false, false, LoraInit.KAIMING, Map.of(), Map.of());
    assertThat(relora.tuner()).isEqualTo(new Relora(lora, new Restarts(200, 0.05, 0.9)));
    assertThat(relora.toString())
        .contains("relora (rank 4, alpha 16, restarts every 200 steps)")
        .contains("2 sites, 164 parameters"); // 4 x (6 + 16 + 16 + 3)
    var remora = Peft.remora(task.net).operator(Mora.Operator.SHARING).rank(1).every(5).prune(1);
    assertThat(remora.warmup(0).tuner())
        .isEqualTo(new Remora(new Mora(1, Mora.Operator.SHARING), new Restarts(5, 0, 1)));
    assertThat(remora.toString()).contains("sharing, restarts every 5 steps");
  }

  // ---- rank

  @Test
  void phases_of_rank_one_add_up() {
    try (PeftModel tuned = task.tuned(RELORA)) {
      run(tuned, 13).run(); // restarts after 3, 6, 9 and 12
      assertThat(rank(value(tuned, D))).isEqualTo(4);
      assertMergesSavesAndConverts(tuned);
    }
  }

  @ParameterizedTest
  @EnumSource(Mora.Operator.class)
  void phases_of_mora_reach_more_than_one(Mora.Operator operator) {
    Mora mora = new Mora(1, operator);
    try (PeftModel once = task.tuned(mora);
        PeftModel tuned = task.tuned(new Remora(mora, EVERY_3))) {
      run(once, 13).run();
      run(tuned, 13).run();
      NDArray merged = value(tuned, D);
      long q = value(once, "default:first.mora_M").getShape().get(0);
      if (operator == Mora.Operator.TRUNCATION || operator == Mora.Operator.SHARING) {
        assertThat(q).isEqualTo(4);
        assertThat(rank(merged)).isGreaterThan(q);
      }
      assertMergesSavesAndConverts(tuned);
    }
  }

  private void assertMergesSavesAndConverts(PeftModel tuned) {
    NDArray expected = output(tuned);
    tuned.mergeInPlace();
    assertThat(distance(output(tuned), expected)).as("merged").isLessThan(2e-6);
    tuned.unmerge();
    Path first = dir.resolve("first");
    Path second = dir.resolve("second");
    tuned.save(first, null, null);
    try (PeftModel read = new PeftModel(task.net, List.of(), List.of()).load("default", first)) {
      assertThat(distance(output(read), expected)).as("from its file").isZero();
      read.save(second, null, null);
    }
    for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
      assertThat(second.resolve(file)).hasSameBinaryContentAs(first.resolve(file));
    }
    assertThat(tuned.convertToLora("plain", 6).leastEnergy()).isGreaterThan(0.99999);
    assertThat(distance(output(tuned), expected)).as("as a LoRA").isLessThan(1e-5);
  }

  // ---- the learning rate

  @ParameterizedTest
  @CsvSource({
    "1, 1",
    "5, 1",
    "10, 1",
    "11, 0.25",
    "12, 0.5",
    "13, 0.75",
    "14, 1",
    "20, 1",
    "21, 0.25"
  })
  void the_learning_rate_rises_again_after_a_restart(long step, double factor) {
    Relora method = new Relora(new Lora(), new Restarts(10, 0.4, 0.99));
    assertThat(method.learningRateFactor(step, 100)).isEqualTo(factor);
  }

  @Test
  void a_restart_comes_each_quarter_of_the_run_where_nothing_is_said() {
    Relora method = new Relora();
    List<Long> at =
        Stream.iterate(1L, n -> n + 1)
            .limit(1250)
            .filter(n -> method.droppedMoments(n, 1250) > 0)
            .toList();
    assertThat(at).containsExactly(313L, 626L, 939L);
    assertThat(method.learningRateFactor(314, 1250)).isCloseTo(1 / 31.0, within(1e-12));
  }

  /** The first update after a restart moves B, whose moments are gone, by a known step. */
  @Test
  void the_loop_uses_the_methods_factor_for_its_own_tensors_alone() {
    Restarts slow = new Restarts(3, 0.67, 1); // rises over two updates
    Placement head =
        Placement.DEFAULT.withTargets(List.of("first")).withModulesToSave(List.of("second"));
    try (PeftModel tuned =
        new PeftModel(task.net, List.of(), List.of())
            .add("default", new Relora(RANK_1, slow), head, 5)) {
      assertThat(tuned.learning().rateScale("default:first.lora_B.weight", 3, 9)).isEqualTo(1);
      assertThat(tuned.learning().rateScale("default:first.lora_B.weight", 4, 9)).isEqualTo(0.5);
      assertThat(tuned.learning().rateScale("default:second.weight", 4, 9)).isEqualTo(1);
      assertThat(tuned.learning().droppedMoments("default:first.lora_A.weight", 3, 9)).isEqualTo(1);
      assertThat(tuned.learning().droppedMoments("default:first.lora_A.weight", 4, 9)).isZero();
      assertThat(tuned.learning().droppedMoments("default:second.weight", 3, 9)).isZero();
      run(tuned, 4).schedule(Schedule.CONSTANT).warmup(0).weightDecay(0).run();
      // m = 0.1 g, v = 0.001 g^2 and the corrections of update 4
      double ratio = 0.1 / (1 - Math.pow(0.9, 4)) / Math.sqrt(0.001 / (1 - Math.pow(0.999, 4)));
      NDArray b = value(tuned, "default:first.lora_B.weight").abs();
      assertThat((double) b.max().getFloat()).isCloseTo(0.5 * 0.02 * ratio, within(1e-5));
      assertThat((double) b.min().getFloat()).isCloseTo(0.5 * 0.02 * ratio, within(1e-5));
    }
  }

  // ---- the moments

  @Test
  void pruning_zeroes_both_moments_where_the_first_is_smallest() {
    try (NDManager m = Torch.newManager();
        AdamW optimizer = new AdamW(m, 0.9, 0.999, 1e-8)) {
      NDArray p = m.zeros(new Shape(100, 3));
      Parameter parameter =
          Parameter.builder().setName("p").setType(Parameter.Type.OTHER).optArray(p).build();
      optimizer.begin();
      optimizer.update("p", parameter, Seed.of(1).normal(m, p.getShape(), 1), 0.1, 0);
      float[] first = moment(optimizer, "m:p").clone();
      float[] second = moment(optimizer, "v:p").clone();
      optimizer.prune("p", 0);
      optimizer.prune("unknown", 0.5);
      assertThat(moment(optimizer, "m:p")).isEqualTo(first);
      optimizer.prune("p", 0.99);
      float[] sizes = new float[300];
      for (int i = 0; i < 300; i++) {
        sizes[i] = Math.abs(first[i]);
      }
      Arrays.sort(sizes);
      for (int i = 0; i < 300; i++) {
        boolean kept = Math.abs(first[i]) >= sizes[297];
        assertThat(moment(optimizer, "m:p")[i]).isEqualTo(kept ? first[i] : 0);
        assertThat(moment(optimizer, "v:p")[i]).isEqualTo(kept ? second[i] : 0);
      }
      assertThat(optimizer.updates()).isEqualTo(1);
      optimizer.prune("p", 1);
      assertThat(optimizer.state().values()).allMatch(x -> x.abs().max().getFloat() == 0);
    }
  }

  private static float[] moment(AdamW optimizer, String name) {
    return Objects.requireNonNull(optimizer.state().get(name), name).toFloatArray();
  }

  @Test
  void a_run_prunes_the_methods_moments_and_no_others() throws IOException {
    Placement head =
        Placement.DEFAULT.withTargets(List.of("first")).withModulesToSave(List.of("second"));
    Path file = dir.resolve("run.safetensors");
    try (PeftModel tuned =
        new PeftModel(task.net, List.of(), List.of())
            .add("default", new Relora(new Lora(), EVERY_3), head, 5)) {
      stopping(run(tuned, 9).checkpoint(file, 1), 3).run();
    }
    Map<String, float[]> there = tensors(file);
    for (String moment : List.of("m:", "v:")) {
      long kept = nonzero(there, moment + "default:first.lora_B.weight"); // of 16 x 8
      assertThat(kept).isEqualTo(128 - Math.round(0.9 * 128));
      assertThat(nonzero(there, moment + "default:first.lora_A.weight"))
          .isEqualTo(48 - Math.round(0.9 * 48));
      assertThat(nonzero(there, moment + "default:second.weight")).isEqualTo(48);
      assertThat(nonzero(there, moment + "default:second.bias")).isEqualTo(3);
    }
  }

  private static long nonzero(Map<String, float[]> tensors, String name) {
    long n = 0;
    for (float x : Objects.requireNonNull(tensors.get(name), name)) {
      n += x == 0 ? 0 : 1;
    }
    return n;
  }

  private static Map<String, float[]> tensors(Path file) throws IOException {
    Map<String, float[]> out = new LinkedHashMap<>();
    try (NDManager m = Torch.newManager();
        TensorSource source = Safetensors.open(file)) {
      for (String n : source.names()) {
        out.put(n, source.load(n, m).toFloatArray());
      }
    }
    return out;
  }

  // ---- resuming

  private static Training stopping(Training training, long after) {
    return training.listen(
        new RunListener() {
          @Override
          public void onStep(Step step) {
            if (step.step() == after) {
              Thread.currentThread().interrupt();
            }
          }
        });
  }

  static Stream<Arguments> broken() {
    return Stream.<Reparam>of(RELORA, REMORA)
        .flatMap(m -> Stream.of(2, 3, 4, 5, 6).map(n -> Arguments.of(m, n)));
  }

  /** Weights, what was merged, moments and losses, broken before, at and after a restart. */
  @ParameterizedTest
  @MethodSource("broken")
  void a_run_broken_around_a_restart_goes_on_to_the_bit(Reparam method, long after)
      throws IOException {
    Path undisturbed = dir.resolve("whole.safetensors");
    Path file = dir.resolve("run.safetensors");
    try (PeftModel whole = task.tuned(method);
        PeftModel first = task.tuned(method);
        PeftModel second = task.tuned(method)) {
      Fit all = run(whole, 11).checkpoint(undisturbed, 100).run();
      Fit part = stopping(run(first, 11).checkpoint(file, 1), after).run();
      assertThat(part.ending()).isEqualTo(Fit.Ending.INTERRUPTED);
      assertThat(part.steps()).hasSize((int) after);
      Fit rest = run(second, 11).checkpoint(file, 1).run();
      assertThat(rest.steps().stream().map(RunListener.Step::loss))
          .containsExactlyElementsOf(all.steps().stream().map(RunListener.Step::loss).toList());
      Map<String, float[]> expected = tensors(undisturbed);
      Map<String, float[]> actual = tensors(file);
      assertThat(actual.keySet())
          .isEqualTo(expected.keySet())
          .contains("weight:" + D)
          .anyMatch(n -> n.startsWith("m:"));
      expected.forEach((n, v) -> assertThat(actual.get(n)).as(n).isEqualTo(v));
      Map<String, float[]> bits = values(whole);
      values(second).forEach((n, v) -> assertThat(v).as(n).isEqualTo(bits.get(n)));
    }
  }

  @Test
  void the_best_weights_are_kept_with_what_was_merged() {
    try (PeftModel tuned = task.tuned(RELORA)) {
      Objective validation = task.rows(60, 4);
      Fit fit =
          run(tuned, 30)
              .learningRate(0.1)
              .schedule(Schedule.CONSTANT)
              .validate(validation)
              .evaluateEvery(2)
              .keepBest()
              .run();
      double best =
          fit.evaluations().stream().mapToDouble(e -> e.metrics().main()).max().orElseThrow();
      assertThat(validation.evaluate(tuned, 64).main()).isEqualTo(best);
    }
  }

  @Test
  void an_adapter_of_a_file_is_trained_on_from_what_it_merged() {
    try (PeftModel tuned = task.tuned(RELORA)) {
      run(tuned, 10).run();
      float[] merged = value(tuned, D).toFloatArray();
      tuned.save(dir, null, null);
      try (PeftModel again = new PeftModel(task.net, List.of(), List.of()).load("default", dir)) {
        assertThat(value(again, D).toFloatArray()).isEqualTo(merged);
        assertThat(again.method("default")).isEqualTo(RELORA);
        run(again, 10).run();
        assertThat(value(again, D).toFloatArray()).isNotEqualTo(merged);
        assertThat(rank(value(again, D))).isGreaterThan(3);
      }
    }
  }

  /** D is no parameter that is trained, and W0 stays as it is. */
  @Test
  void what_is_merged_is_not_trained_and_the_base_is_untouched() {
    NDArray plain = output(task.net);
    try (PeftModel tuned = task.tuned(RELORA)) {
      assertThat(tuned.trainableParameters()).isEqualTo(6 + 16 + 16 + 3);
      assertThat(tuned.trainable()).doesNotContainKey(D);
      run(tuned, 10).run();
      assertThat(value(tuned, D).hasGradient()).isFalse();
      assertThat(distance(output(task.net), plain)).isZero();
      assertThat(distance(output(tuned), plain)).isGreaterThan(1e-3);
      NDArray d = Buffers.copyOf(task.manager, value(tuned, D));
      tuned.disable();
      assertThat(distance(output(tuned), plain)).isZero();
      assertThat(distance(value(tuned, D), d)).isZero();
    }
  }
}
