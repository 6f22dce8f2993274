package org.peft4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.adapter.PeftModel;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.nn.Projection;
import org.peft4j.reparam.AdaLora;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Paths;
import org.peft4j.spi.Placement;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.CrossEntropy;
import org.peft4j.tensor.Torch;

/**
 * Training step by step as PyTorch and Hugging Face PEFT do it: losses, gradient norms, learning
 * rates, weights, ranks.
 */
@Tag("fast")
class GoldenTrainingTest {
  private static final Path ROOT = root();

  private static Path root() {
    try {
      return Path.of(GoldenTrainingTest.class.getResource("/golden/hf/index.json").toURI())
          .getParent();
    } catch (Exception e) {
      throw new IllegalStateException("golden files are missing: run src/test/python/golden.py", e);
    }
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> map(Object o) {
    return (Map<String, Object>) o;
  }

  private static double number(Object o) {
    return ((Number) o).doubleValue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"lora_bert", "lora_bert_trainer", "lora_llama"})
  void six_steps_of_lora_equal_hugging_face(String name) throws IOException {
    Path dir = ROOT.resolve("training").resolve(name);
    Map<String, Object> trace = map(Json.read(dir.resolve("trace.json")));
    Map<String, Object> decay = map(trace.get("weight_decay"));
    Path base = ROOT.resolve("base").resolve((String) trace.get("base"));
    try (Pretrained model = withoutDropout(base);
        Tuned tuned = Peft.load(model, dir.resolve("start"));
        TensorSource batches = Safetensors.open(dir.resolve("batches.safetensors"));
        NDManager manager = Torch.newManager()) {
      Objective objective = new Batches(batches, manager, name.contains("llama"));
      checkGradients(tuned, objective, dir, manager);
      List<?> expected = (List<?>) trace.get("steps");
      Fit fit =
          tuned
              .fit(objective)
              .inOrder()
              .batchSize(1)
              .epochs(1)
              .learningRate(0.01)
              .warmup(2.0 / 6)
              .schedule(Schedule.COSINE)
              .clip(1)
              .weightDecay(
                  0.01,
                  n -> number(decay.get("base_model.model." + n.substring(n.indexOf(':') + 1))) > 0)
              .quiet()
              .run();
      assertThat(fit.steps()).hasSize(expected.size());
      for (int i = 0; i < expected.size(); i++) {
        Map<String, Object> e = map(expected.get(i));
        RunListener.Step s = fit.steps().get(i);
        assertThat(s.loss())
            .as("loss of step " + (i + 1))
            .isCloseTo(number(e.get("loss")), within(1e-5));
        assertThat(s.learningRate())
            .as("learning rate")
            .isCloseTo(number(e.get("lr")), within(1e-9));
        assertThat(s.gradientNorm())
            .as("gradient norm")
            .isCloseTo(number(e.get("grad_norm")), within(2e-5 * number(e.get("grad_norm"))));
      }
      try (TensorSource end =
          Safetensors.open(dir.resolve("end").resolve("adapter_model.safetensors"))) {
        tuned
            .trainable()
            .forEach(
                (n, p) ->
                    assertClose(
                        p.getArray(),
                        end.load("base_model.model." + n.substring(n.indexOf(':') + 1), manager),
                        2e-5,
                        n));
      }
    }
  }

  private static Pretrained withoutDropout(Path base) {
    Pretrained model = Models.load(base); // the fixtures' dropouts are all 0
    assertThat(model.config().number("hidden_dropout_prob", 0)).isZero();
    return model;
  }

  private static void checkGradients(Tuned tuned, Objective objective, Path dir, NDManager manager)
      throws IOException {
    try (TensorSource expected = Safetensors.open(dir.resolve("gradients.safetensors"));
        var collector = ai.djl.engine.Engine.getInstance().newGradientCollector()) {
      collector.backward(
          objective.loss(tuned, new ParameterStore(manager, false), manager, new int[] {0}, true));
      tuned
          .trainable()
          .forEach(
              (n, p) -> {
                NDArray gradient = p.getArray().getGradient();
                assertClose(
                    gradient,
                    expected.load("base_model.model." + n.substring(n.indexOf(':') + 1), manager),
                    1e-5,
                    n);
                gradient.muli(0);
              });
    }
  }

  private static void assertClose(NDArray actual, NDArray expected, double tolerance, String what) {
    assertThat(actual.getShape()).as(what).isEqualTo(expected.getShape());
    assertThat(actual.stopGradient().sub(expected).abs().max().getFloat())
        .as(what)
        .isLessThanOrEqualTo((float) tolerance);
  }

  @Test
  void adamw_equals_pytorch() throws IOException {
    Map<String, Object> trace = map(Json.read(ROOT.resolve("training/adamw/trace.json")));
    Map<String, Object> decay = map(trace.get("weight_decay"));
    try (NDManager manager = Torch.newManager();
        TensorSource t = Safetensors.open(ROOT.resolve("training/adamw/tensors.safetensors"));
        AdamW optimizer = new AdamW(manager, 0.9, 0.999, 1e-8)) {
      Map<String, Parameter> parameters = new HashMap<>();
      decay.keySet().forEach(n -> parameters.put(n, parameter(n, t.load("start." + n, manager))));
      for (int step = 1; step <= 5; step++) {
        optimizer.begin();
        for (Map.Entry<String, Parameter> p : parameters.entrySet()) {
          NDArray gradient = t.load("grad." + step + "." + p.getKey(), manager);
          Torch.inference(
              () -> {
                optimizer.update(
                    p.getKey(), p.getValue(), gradient, 0.03, number(decay.get(p.getKey())));
                return p;
              });
          assertClose(
              p.getValue().getArray(),
              t.load("after." + step + "." + p.getKey(), manager),
              1e-6,
              "step " + step + " " + p.getKey());
        }
      }
      optimizer
          .state()
          .forEach(
              (n, a) ->
                  assertClose(
                      a,
                      t.load(
                          (n.startsWith("m:") ? "exp_avg." : "exp_avg_sq.") + n.substring(2),
                          manager),
                      1e-7,
                      n));
    }
  }

  private static Parameter parameter(String name, NDArray value) {
    Parameter p =
        Parameter.builder()
            .setName(name)
            .setType(Parameter.Type.OTHER)
            .optShape(value.getShape())
            .optInitializer((m, s, t) -> value)
            .build();
    p.initialize(value.getManager(), DataType.FLOAT32);
    return p;
  }

  @Test
  void schedules_equal_transformers() throws IOException {
    Map<String, Object> all = map(Json.read(ROOT.resolve("training/schedules.json")));
    long warmup = (long) number(all.get("warmup_steps"));
    long total = (long) number(all.get("total_steps"));
    Map<String, Schedule> ours =
        Map.of(
            "constant_with_warmup",
            Schedule.CONSTANT,
            "linear",
            Schedule.LINEAR,
            "cosine",
            Schedule.COSINE);
    ours.forEach(
        (name, schedule) -> {
          List<?> factors = (List<?>) map(map(all.get("schedules")).get(name)).get("factors");
          for (int i = 0; i < factors.size(); i++) {
            assertThat(schedule.factor(i, warmup, total))
                .as(name + " at " + i)
                .isCloseTo(number(factors.get(i)), within(1e-12));
          }
        });
  }

  @Test
  void adalora_prunes_the_same_ranks_at_the_same_steps() throws IOException {
    Path dir = ROOT.resolve("training/adalora_adamw");
    Map<String, Object> trace = map(Json.read(dir.resolve("adalora_schedule.json")));
    Map<String, Object> s = map(trace.get("schedule"));
    AdaLora method =
        new AdaLora(
            (int) number(s.get("init_r")),
            (int) number(s.get("target_r")),
            number(s.get("lora_alpha")),
            0,
            0,
            (int) number(s.get("tinit")),
            (int) number(s.get("tfinal")),
            (int) number(s.get("deltaT")),
            number(s.get("beta1")),
            number(s.get("beta2")),
            number(s.get("orth_reg_weight")),
            Map.of());
    try (TensorSource t = Safetensors.open(dir.resolve("tensors.safetensors"));
        NDManager manager = Torch.newManager()) {
      Block net = new Mlp();
      Paths.parameters(net)
          .forEach(
              (path, p) -> {
                NDArray value = t.load("base." + path, manager);
                p.setInitializer((m, shape, type) -> value);
                p.initialize(manager, DataType.FLOAT32);
              });
      PeftModel tuned =
          new PeftModel(net, List.of(), List.of())
              .add("a", method, Placement.DEFAULT.withTargets(List.of("all-linear")), 0);
      tuned
          .trainable()
          .forEach(
              (n, p) -> Buffers.copy(t.load("start." + n.substring(2), manager), p.getArray()));
      List<?> expected = (List<?>) trace.get("steps");
      List<Map<String, float[]>> seen = new ArrayList<>();
      Objective objective =
          new FixedRows(
              t, manager, expected.stream().map(e -> (int) number(map(e).get("batch"))).toList());
      RunListener watch =
          new RunListener() {
            @Override
            public void onStep(Step step) {
              Map<String, float[]> e = new HashMap<>();
              tuned
                  .trainable()
                  .forEach((n, p) -> e.put(n.substring(2), p.getArray().toFloatArray()));
              seen.add(e);
            }
          };
      Fit fit =
          Training.of(tuned, objective)
              .inOrder()
              .batchSize(1)
              .epochs(1)
              .learningRate(0.01)
              .warmup(0)
              .schedule(Schedule.CONSTANT)
              .clip(0)
              .weightDecay(0.01, n -> true)
              .listen(watch)
              .quiet()
              .run();
      for (int i = 0; i < expected.size(); i++) {
        Map<String, Object> e = map(expected.get(i));
        assertThat(fit.steps().get(i).loss())
            .as("loss of step " + (i + 1))
            .isCloseTo(number(e.get("task_loss")), within(1e-5));
        for (Map.Entry<String, Object> module : map(e.get("E")).entrySet()) {
          List<?> values = (List<?>) module.getValue();
          float[] actual = seen.get(i).get(module.getKey());
          for (int j = 0; j < actual.length; j++) {
            assertThat((double) actual[j])
                .as("step " + (i + 1) + " " + module.getKey() + "[" + j + "]")
                .isCloseTo(number(values.get(j)), within(1e-5));
          }
        }
      }
      seen.get(seen.size() - 1)
          .forEach(
              (n, v) ->
                  assertThat(v)
                      .as(n)
                      .usingComparatorWithPrecision(2e-5f)
                      .containsExactly(t.load("end." + n, manager).toFloatArray()));
      tuned.close();
    }
  }

  /** Stored batches as rows. */
  private record Batches(TensorSource source, NDManager manager, boolean causal)
      implements Objective {
    @Override
    public int rows() {
      return 6;
    }

    @Override
    public int length(int row) {
      return 1;
    }

    @Override
    public NDArray loss(
        Block model, ParameterStore store, NDManager m, int[] rows, boolean training) {
      int i = rows[0];
      NDList in =
          new NDList(source.load("input_ids." + i, m), source.load("attention_mask." + i, m));
      if (!causal) {
        in.add(source.load("token_type_ids." + i, m));
      }
      NDArray logits = model.forward(store, in, training).get(0);
      NDArray labels = source.load("labels." + i, m);
      if (!causal) {
        return CrossEntropy.mean(logits, labels);
      }
      long classes = logits.getShape().get(2);
      return CrossEntropy.mean(
          logits.get(":, :-1").reshape(-1, classes), labels.get(":, 1:").reshape(-1));
    }

    @Override
    public Metrics evaluate(Block model, int batchSize) {
      throw new UnsupportedOperationException();
    }
  }

  private record FixedRows(TensorSource source, NDManager manager, List<Integer> batches)
      implements Objective {
    @Override
    public int rows() {
      return batches.size();
    }

    @Override
    public int length(int row) {
      return 1;
    }

    @Override
    public NDArray loss(
        Block model, ParameterStore store, NDManager m, int[] rows, boolean training) {
      int batch = batches.get(rows[0]);
      NDArray logits =
          model.forward(store, new NDList(source.load("x." + batch, m)), training).get(0);
      return CrossEntropy.mean(logits, source.load("labels." + batch, m));
    }

    @Override
    public Metrics evaluate(Block model, int batchSize) {
      throw new UnsupportedOperationException();
    }
  }

  private static final class Mlp extends AbstractBlock {
    private final Projection fc1 = addChildBlock("fc1", new Projection(6, 8, true, null));
    private final Projection fc2 = addChildBlock("fc2", new Projection(8, 8, true, null));
    private final Projection fc3 = addChildBlock("fc3", new Projection(8, 4, true, null));

    Mlp() {
      super((byte) 1);
    }

    @Override
    protected void initializeChildBlocks(NDManager m, DataType type, Shape... in) {}

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList in, boolean training, PairList<String, Object> p) {
      Pass pass = Pass.of(store, training);
      NDArray x = fc2.apply(pass, fc1.apply(pass, in.get(0)).tanh()).tanh();
      return new NDList(fc3.apply(pass, x));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] in) {
      return new Shape[] {new Shape(in[0].get(0), 4)};
    }
  }
}
