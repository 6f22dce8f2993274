package org.peft4j.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.Models;
import org.peft4j.Onnx;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.export.Exported;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.hook.MultitaskPromptTuning;
import org.peft4j.model.Pretrained;
import org.peft4j.model.Task;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.spi.Fluent;
import org.peft4j.tensor.CrossEntropy;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;
import org.peft4j.train.CausalLanguageModeling;
import org.peft4j.train.Fit;
import org.peft4j.train.Metrics;
import org.peft4j.train.Objective;
import org.peft4j.train.Schedule;

/**
 * Prompts and prefixes that Hugging Face PEFT made give here what they gave there, in one pass and
 * in cached generation. The files are made by {@code src/test/python/golden_hooks.py}.
 */
@Tag("fast")
class HooksTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");

  @TempDir Path dir;

  @TestFactory
  Stream<DynamicNode> every_case() throws IOException {
    try (Stream<Path> folders = Files.list(GOLDEN.resolve("hooks"))) {
      List<Path> all = folders.sorted().toList();
      assertThat(all).as("golden adapters").hasSize(37);
      return all.stream()
          .map(f -> DynamicTest.dynamicTest(f.getFileName().toString(), () -> check(f)));
    }
  }

  private static Pretrained base(String name) {
    return Models.load(GOLDEN.resolve(name));
  }

  private void check(Path adapter) throws IOException {
    String name =
        String.valueOf(
            Json.read(adapter.resolve("adapter_config.json")).get("base_model_name_or_path"));
    try (TensorSource io = Safetensors.open(adapter.resolve("io.safetensors"));
        Pretrained loaded = base(name);
        Pretrained model = scores(io) == 2 ? classifying(loaded) : loaded;
        Tuned tuned = Peft.load(model, adapter)) {
      for (String side : List.of("right", "left")) {
        assertThat(distance(tuned, io, side)).as(side + " padding").isLessThan(1e-5f);
        assertThat(distance(model, io, side)).as("it acts").isGreaterThan(1e-3f);
        tuned.disable();
        assertThat(distance(tuned, io, side)).isEqualTo(distance(model, io, side));
        tuned.enable();
      }
      if (io.names().contains("detached.logits")) {
        assertThat(distance(tuned.learning().detached(), io, "right", "detached"))
            .isLessThan(1e-5f);
        try (Pretrained alone = tuned.detach()) {
          assertThat(distance(alone, io, "right", "detached")).isLessThan(1e-5f);
        }
      }
      if (io.names().contains("greedy.tokens")) {
        greedy(tuned, io);
      }
      if (io.names().contains("answers.tokens")) {
        answers(tuned, io);
      }
      if (io.names().contains("losses")) {
        learn(model, adapter, io);
      }
      assertThatThrownBy(tuned::merge)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("no weights to put it into");
      assertThatThrownBy(tuned::mergeInPlace).hasMessageContaining("no weights to put it into");
      sameBytes(model, tuned, adapter.getFileName().toString());
    }
  }

  /** 2 for scores of texts, 3 for those of tokens. */
  private static int scores(TensorSource io) {
    return io.info("right.logits").shape().dimension();
  }

  /** The model with a classifier, of which the adapter has the weights. */
  private static Pretrained classifying(Pretrained model) {
    return model.task() == Task.CAUSAL_LM ? model.classify(List.of("a", "b", "c")) : model;
  }

  private void sameBytes(Pretrained model, Tuned tuned, String name) throws IOException {
    Path once = dir.resolve(name + "-once");
    Path twice = dir.resolve(name + "-twice");
    tuned.save(once);
    try (Tuned again = Peft.load(model, once)) {
      again.save(twice);
    }
    for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
      assertThat(twice.resolve(file)).as(file).hasSameBinaryContentAs(once.resolve(file));
    }
  }

  private static void tellTasks(Block model, int[] texts) {
    if (model instanceof Tuned tuned
        && tuned.method("default") instanceof MultitaskPromptTuning method) {
      tuned.task(Arrays.stream(texts).map(i -> i % method.tasks()).toArray());
    }
  }

  private static float distance(Block model, TensorSource io, String side) {
    return distance(model, io, side, side);
  }

  private static float distance(Block model, TensorSource io, String side, String scores) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager manager = Torch.newManager()) {
            NDArray mask = io.load(side + ".attention_mask", manager);
            NDList in = new NDList(io.load(side + ".input_ids", manager), mask);
            if (io.names().contains(side + ".decoder_input_ids")) {
              in.add(io.load(side + ".decoder_input_ids", manager));
            }
            tellTasks(model, IntStream.range(0, (int) mask.getShape().get(0)).toArray());
            NDArray logits =
                model.forward(new ParameterStore(manager, false), in, false).singletonOrThrow();
            NDArray difference = logits.sub(io.load(scores + ".logits", manager)).abs();
            if (difference.getShape().dimension() == 3 && in.size() == 2) {
              difference = difference.mul(mask.toType(DataType.FLOAT32, false).expandDims(2));
            }
            return difference.max().getFloat();
          }
        });
  }

  /** What a decoder writes, had it no end token. */
  private static void answers(Tuned tuned, TensorSource io) {
    try (NDManager manager = Torch.newManager()) {
      NDArray ids = io.load("right.input_ids", manager);
      NDArray mask = io.load("right.attention_mask", manager);
      long[] expected =
          io.load("answers.tokens", manager).toType(DataType.INT64, false).toLongArray();
      int rows = (int) ids.getShape().get(0);
      int steps = expected.length / rows;
      long[][] sources = new long[rows][];
      for (int r = 0; r < rows; r++) {
        int length = (int) Arrays.stream(mask.get(r).toLongArray()).sum();
        sources[r] = Arrays.copyOf(ids.get(r).toLongArray(), length);
      }
      try (Decoding decoding = Decoding.answering(tuned, sources, 0, 0)) {
        float[][] scores = decoding.begin();
        for (int step = 0; step < steps; step++) {
          long[][] next = new long[rows][1];
          for (int r = 0; r < rows; r++) {
            scores[r][1] = Float.NEGATIVE_INFINITY;
            next[r][0] = best(scores[r]);
            assertThat(next[r][0])
                .as("row %d, token %d", r, step)
                .isEqualTo(expected[r * steps + step]);
          }
          scores = step + 1 < steps ? decoding.read(next) : scores;
        }
      }
    }
  }

  private static int best(float[] scores) {
    int best = 0;
    for (int t = 1; t < scores.length; t++) {
      best = scores[t] > scores[best] ? t : best;
    }
    return best;
  }

  private static void learn(Pretrained model, Path adapter, TensorSource io) {
    try (Tuned tuned = Peft.load(model, adapter);
        NDManager manager = Torch.newManager()) {
      float[] expected = io.load("losses", manager).toFloatArray();
      Fit fit =
          tuned
              .fit(oneBatch(io))
              .batchSize(expected.length)
              .epochs(expected.length)
              .learningRate(0.01)
              .schedule(Schedule.CONSTANT)
              .warmup(0)
              .weightDecay(0)
              .clip(0)
              .quiet()
              .run();
      for (int i = 0; i < expected.length; i++) {
        assertThat(fit.steps().get(i).loss())
            .as("loss of step " + (i + 1))
            .isCloseTo(expected[i], within(2e-5));
      }
      assertThat(expected[expected.length - 1]).isLessThan(expected[0]);
    }
  }

  /** The fixture's rows as one batch: the next token, or the row's number as its label. */
  private static Objective oneBatch(TensorSource io) {
    try (NDManager manager = Torch.newManager()) {
      if (scores(io) == 2) {
        return new Numbered(io);
      }
      NDArray ids = io.load("right.input_ids", manager);
      NDArray mask = io.load("right.attention_mask", manager);
      List<long[]> rows = new ArrayList<>();
      for (int r = 0; r < ids.getShape().get(0); r++) {
        int length = (int) Arrays.stream(mask.get(r).toLongArray()).sum();
        rows.add(Arrays.copyOf(ids.get(r).toLongArray(), length));
      }
      return new Told(CausalLanguageModeling.of(rows, rows, 0));
    }
  }

  /**
   * Says that the i-th text is of task i, modulo their number, where a method tells tasks apart.
   */
  private record Told(Objective texts) implements Objective {
    @Override
    public int rows() {
      return texts.rows();
    }

    @Override
    public int length(int row) {
      return texts.length(row);
    }

    @Override
    public double weight(int[] rows) {
      return texts.weight(rows);
    }

    @Override
    public NDArray loss(
        Block model, ParameterStore store, NDManager manager, int[] rows, boolean training) {
      tellTasks(model, rows);
      return texts.loss(model, store, manager, rows, training);
    }

    @Override
    public Metrics evaluate(Block model, int batchSize) {
      throw new UnsupportedOperationException();
    }
  }

  private record Numbered(TensorSource io) implements Objective {
    @Override
    public int rows() {
      return 1;
    }

    @Override
    public int length(int row) {
      return 1;
    }

    @Override
    public NDArray loss(
        Block model, ParameterStore store, NDManager manager, int[] rows, boolean training) {
      NDArray ids = io.load("right.input_ids", manager);
      NDArray mask = io.load("right.attention_mask", manager);
      int texts = (int) ids.getShape().get(0);
      tellTasks(model, IntStream.range(0, texts).toArray());
      NDArray logits = model.forward(store, new NDList(ids, mask), training).get(0);
      return CrossEntropy.mean(logits, manager.arange(0, texts, 1, DataType.INT64));
    }

    @Override
    public Metrics evaluate(Block model, int batchSize) {
      throw new UnsupportedOperationException();
    }
  }

  private static void greedy(Tuned tuned, TensorSource io) {
    long[] prompt;
    long[] expected;
    try (NDManager manager = Torch.newManager()) {
      prompt = io.load("right.input_ids", manager).get(0).toLongArray();
      expected = io.load("greedy.tokens", manager).toType(DataType.INT64, false).toLongArray();
    }
    tuned.task(0);
    long[][] alone = continued(tuned, new long[][] {prompt}, expected.length);
    assertThat(alone[0]).as("greedy").isEqualTo(expected);
    // beside a shorter text, padded on the left, it must say the same
    long[] shorter = Arrays.copyOfRange(prompt, 4, prompt.length);
    long[][] both = continued(tuned, new long[][] {prompt, shorter}, expected.length);
    long[][] other = continued(tuned, new long[][] {shorter}, expected.length);
    assertThat(both[0]).as("in a batch").isEqualTo(expected);
    assertThat(both[1]).as("padded, in a batch").isEqualTo(other[0]);
  }

  private static long[][] continued(Block model, long[][] prompts, int steps) {
    int[] lengths = Arrays.stream(prompts).mapToInt(p -> p.length).toArray();
    int longest = Arrays.stream(lengths).max().orElseThrow();
    long[][] out = new long[prompts.length][steps];
    try (Decoding decoding = new Decoding(model, prompts.length, longest, lengths)) {
      float[][] scores = decoding.read(Decoding.leftPadded(prompts, 0));
      for (int step = 0; step < steps; step++) {
        long[][] next = new long[prompts.length][1];
        for (int r = 0; r < prompts.length; r++) {
          next[r][0] = best(scores[r]);
          out[r][step] = next[r][0];
        }
        if (step + 1 < steps) {
          scores = decoding.read(next);
        }
      }
    }
    return out;
  }

  // ---- made here

  private static Stream<Fluent<?, ?, Tuned>> fresh(Block model) {
    return Stream.of(
        Peft.promptTuning(model).tokens(3),
        Peft.promptTuning(model).tokens(3).fromVocabulary(),
        Peft.cpt(model).tokens(List.of(5, 8, 4), List.of(1, 2, 4)),
        Peft.multitaskPromptTuning(model).tokens(3).ranks(2),
        Peft.prefixTuning(model).tokens(3),
        Peft.cartridge(model).tokens(3),
        Peft.prefixTuning(model).tokens(3).projection(8),
        Peft.adaptionPrompt(model).tokens(3).lastLayers(1),
        Peft.shadow(model).rank(3),
        Peft.shadow(model).rank(3).mirror(2, 8, 2, 12).layers(1),
        Peft.pfeiffer(model).reduction(4),
        Peft.pfeiffer(model).reduction(4).layers(1));
  }

  @Test
  void cached_generation_equals_reading_all_again() {
    try (Pretrained model = base("families/qwen3")) {
      assertThat(model.task()).isEqualTo(Task.CAUSAL_LM);
      long[] prompt = {5, 9, 17, 30, 8};
      fresh(model)
          .forEach(
              method -> {
                try (Tuned tuned = method.apply()) {
                  long[] cached = continued(tuned, new long[][] {prompt}, 6)[0];
                  long[] text = prompt;
                  for (long expected : cached) {
                    assertThat(continued(tuned, new long[][] {text}, 1)[0][0])
                        .as(method.toString())
                        .isEqualTo(expected);
                    text = Arrays.copyOf(text, text.length + 1);
                    text[text.length - 1] = expected;
                  }
                }
              });
    }
  }

  @Test
  void each_works_beside_lora() {
    try (Pretrained model = base("families/llama")) {
      fresh(model)
          .forEach(
              method -> {
                try (Tuned tuned = method.apply()) {
                  long alone = tuned.trainableParameters();
                  Peft.lora(tuned).named("more").apply();
                  tuned.use("default", "more");
                  assertThat(tuned.activeAdapters()).containsExactly("default", "more");
                  assertThat(tuned.trainableParameters()).isGreaterThan(alone);
                  assertThat(continued(tuned, new long[][] {{5, 6, 7}}, 2)[0]).hasSize(2);
                }
              });
    }
  }

  @Test
  void a_graph_has_them_in_it() throws Exception {
    try (Pretrained model = base("hf/base/bert")) {
      for (Fluent<?, ?, Tuned> method : fresh(model).toList()) {
        Path file = dir.resolve("hooked.onnx");
        try (Tuned tuned = method.apply()) {
          Exported exported = Onnx.export(tuned, file);
          try (OnnxSession session = exported.session()) {
            assertThat(graphDistance(tuned, session)).as(method.toString()).isLessThan(1e-4f);
          }
        }
      }
    }
  }

  private static float graphDistance(Tuned tuned, OnnxSession session) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager manager = Torch.newManager()) {
            NDArray ids = manager.create(new long[][] {{4, 9, 11, 3, 0}, {8, 7, 0, 0, 0}});
            NDArray mask = manager.create(new long[][] {{1, 1, 1, 1, 0}, {1, 1, 0, 0, 0}});
            NDArray types = ids.zerosLike();
            NDArray here =
                tuned
                    .forward(
                        new ParameterStore(manager, false), new NDList(ids, mask, types), false)
                    .singletonOrThrow();
            NDArray there =
                session
                    .run(
                        manager,
                        java.util.Map.of(
                            "input_ids", ids, "attention_mask", mask, "token_type_ids", types))
                    .get("logits");
            return here.sub(there).abs().max().getFloat();
          }
        });
  }

  // ---- what is refused

  @Test
  void what_makes_no_sense_is_refused() {
    try (Pretrained model = base("families/llama")) {
      assertThatThrownBy(() -> Peft.promptTuning(model).targets("q").apply())
          .hasMessageContaining("prompt_tuning adapts no weights");
      assertThatThrownBy(() -> Peft.prefixTuning(model).layers(0).apply())
          .hasMessageContaining("acts in all layers");
      assertThatThrownBy(() -> Peft.pfeiffer(model).layers(7).apply())
          .hasMessageContaining("none of this model's");
      assertThatThrownBy(() -> Peft.promptTuning(model).tokens(0))
          .hasMessageContaining("num_virtual_tokens");
      assertThatThrownBy(() -> Peft.promptTuning(model).fromText("hello"))
          .hasMessageContaining("tokenizer");
      assertThatThrownBy(() -> Peft.pfeiffer(model).activation("swosh"))
          .hasMessageContaining("swosh");
    }
    Block foreign = ai.djl.nn.core.Linear.builder().setUnits(3).build();
    try (NDManager manager = Torch.newManager()) {
      foreign.initialize(manager, DataType.FLOAT32, new ai.djl.ndarray.types.Shape(1, 4));
      assertThatThrownBy(() -> Peft.prefixTuning(foreign).apply())
          .hasMessageContaining("places that this block has not got");
    }
  }

  @Test
  void an_adapter_of_another_size_is_refused() {
    try (Pretrained model = base("families/qwen2")) {
      Path other = GOLDEN.resolve("hooks/llama_prefix"); // heads of another size
      assertThatThrownBy(() -> Peft.load(model, other))
          .hasMessageContaining("token_dim: the model has 16, the file says 32");
    }
  }

  @Test
  void two_bottlenecks_at_once_are_refused() {
    try (Pretrained model = base("families/llama");
        Tuned tuned = Peft.pfeiffer(model).apply()) {
      Peft.pfeiffer(tuned).named("b").apply();
      tuned.use("default", "b");
      assertThatThrownBy(() -> continued(tuned, new long[][] {{5}}, 1))
          .hasMessageContaining("cannot be active together");
    }
  }
}
