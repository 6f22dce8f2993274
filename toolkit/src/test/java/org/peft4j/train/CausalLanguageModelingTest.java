package org.peft4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.data.Conversation;
import org.peft4j.data.Conversations;
import org.peft4j.data.Examples;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Positions;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Torch;

/** Language-model training, evaluation and perplexity as Hugging Face computes them. */
@Tag("fast")
class CausalLanguageModelingTest {
  private static final Path GOLDEN = golden();
  private static final Map<String, Object> TRACE = trace();

  private static Path golden() {
    try {
      return Path.of(CausalLanguageModelingTest.class.getResource("/golden").toURI());
    } catch (Exception e) {
      throw new IllegalStateException(
          "golden files are missing: run src/test/python/golden_language.py", e);
    }
  }

  private static Map<String, Object> trace() {
    try {
      return map(Json.read(GOLDEN.resolve("language/trace.json")));
    } catch (IOException e) {
      throw new IllegalStateException(
          "golden files are missing: run src/test/python/golden_language.py", e);
    }
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> map(Object o) {
    return (Map<String, Object>) o;
  }

  private static double number(Map<String, Object> of, String key) {
    return ((Number) of.get(key)).doubleValue();
  }

  private static long[] longs(Object list) {
    return ((List<?>) list).stream().mapToLong(v -> ((Number) v).longValue()).toArray();
  }

  private static Pretrained llama() {
    return Models.load(GOLDEN.resolve("hf/base/llama"));
  }

  private static Tuned start(Pretrained model) {
    return Peft.load(model, GOLDEN.resolve("language/start"));
  }

  private static CausalLanguageModeling rows() {
    List<long[]> ids = new ArrayList<>();
    List<long[]> labels = new ArrayList<>();
    for (Object row : (List<?>) TRACE.get("rows")) {
      ids.add(longs(map(row).get("input_ids")));
      labels.add(longs(map(row).get("labels")));
    }
    return CausalLanguageModeling.of(ids, labels, 0);
  }

  @ParameterizedTest
  @CsvSource({"0, 6, 1", "1, 2, 3"})
  void losses_and_weights_equal_hugging_face(int run, int batch, int accumulate)
      throws IOException {
    List<?> expected = (List<?>) map(((List<?>) TRACE.get("runs")).get(run)).get("steps");
    try (Pretrained model = llama();
        Tuned tuned = start(model);
        NDManager manager = Torch.newManager();
        TensorSource end =
            Safetensors.open(
                GOLDEN.resolve(
                    "language/end_%dx%d/adapter_model.safetensors".formatted(batch, accumulate)))) {
      Fit fit =
          tuned
              .fit(rows())
              .inOrder()
              .batchSize(batch)
              .accumulate(accumulate)
              .epochs(1)
              .learningRate(0.01)
              .warmup(0)
              .schedule(Schedule.CONSTANT)
              .clip(0)
              .weightDecay(0)
              .quiet()
              .run();
      assertThat(fit.steps()).hasSize(expected.size());
      for (int i = 0; i < expected.size(); i++) {
        Map<String, Object> e = map(expected.get(i));
        assertThat(fit.steps().get(i).loss())
            .as("loss of step " + (i + 1))
            .isCloseTo(number(e, "loss"), within(1e-5));
        assertThat(fit.steps().get(i).gradientNorm())
            .as("gradient norm of step " + (i + 1))
            .isCloseTo(number(e, "grad_norm"), within(2e-5 * number(e, "grad_norm")));
      }
      tuned
          .trainable()
          .forEach(
              (n, p) ->
                  assertThat(p.getArray().toFloatArray())
                      .as(n)
                      .usingComparatorWithPrecision(2e-5f)
                      .containsExactly(
                          end.load("base_model.model." + n.substring(n.indexOf(':') + 1), manager)
                              .toFloatArray()));
    }
  }

  @Test
  void a_batch_weighs_as_many_rows_as_it_has_tokens_to_learn() {
    CausalLanguageModeling rows = rows();
    int[] all = java.util.stream.IntStream.range(0, rows.rows()).toArray();
    assertThat(rows.weight(all)).isEqualTo(rows.supervisedTokens()).isEqualTo(186);
    assertThat(rows.weight(new int[] {0})).isEqualTo(3); // 4 tokens, 1 of them the prompt
    assertThat(rows.weight(new int[] {7})).isEqualTo(rows.length(7) - 1); // the first never counts
  }

  @Test
  void evaluation_equals_hugging_face_whatever_the_batches() {
    Map<String, Object> expected = map(TRACE.get("evaluation"));
    try (Pretrained model = llama();
        Tuned tuned = start(model)) {
      for (int batch : new int[] {1, 5, 64}) {
        Metrics m = rows().evaluate(tuned, batch);
        assertThat(m.get("loss")).isCloseTo(number(expected, "loss"), within(1e-5));
        assertThat(m.get("perplexity")).isCloseTo(Math.exp(number(expected, "loss")), within(1e-3));
        assertThat(m.get("accuracy")).isCloseTo(number(expected, "accuracy"), within(1e-9));
        assertThat(m.higherIsBetter()).isFalse();
        assertThat(m.mainName()).isEqualTo("perplexity");
      }
    }
  }

  @Test
  void perplexity_equals_hugging_face() {
    Map<String, Object> expected = map(TRACE.get("perplexity"));
    try (Pretrained model = llama();
        Tuned tuned = start(model)) {
      Perplexity p = Perplexity.of(tuned, longs(TRACE.get("text")), 16);
      assertThat(p.scored()).isEqualTo((long) number(expected, "scored"));
      assertThat(p.loss()).isCloseTo(number(expected, "loss"), within(1e-5));
      assertThat(p.value()).isCloseTo(Math.exp(p.loss()), within(1e-9));
      assertThat(p)
          .asString()
          .matches("perplexity 137\\.25\\d\\d \\(loss 4\\.92185\\d\\) on 45 tokens");
      assertThatThrownBy(() -> Perplexity.of(tuned, new long[] {3}, 16))
          .hasMessageContaining("a text of 1");
    }
  }

  @Test
  void scores_are_computed_only_where_they_are_wished_for() {
    try (Pretrained model = llama();
        Tuned tuned = start(model);
        NDManager manager = Torch.newManager()) {
      NDArray ids = Buffers.create(manager, new long[] {5, 6, 7, 8, 9, 3}, new Shape(2, 3));
      NDArray at = Buffers.create(manager, new long[] {4, 0}, new Shape(2));
      ParameterStore store = new ParameterStore(manager, false);
      NDArray all = tuned.forward(store, new NDList(ids), false).get(0);
      NDArray some = tuned.forward(store, new NDList(ids), false, Positions.of(at)).get(0);
      assertThat(some.getShape()).isEqualTo(new Shape(2, 64));
      assertThat(some.get(0).toFloatArray())
          .usingComparatorWithPrecision(1e-6f)
          .containsExactly(all.get("1, 1").toFloatArray());
      assertThat(some.get(1).toFloatArray())
          .usingComparatorWithPrecision(1e-6f)
          .containsExactly(all.get("0, 0").toFloatArray());
    }
  }

  /** A block that does not know the wish for some positions only gives the same loss. */
  @Test
  void other_blocks_answer_for_all_positions() {
    try (Pretrained model = llama()) {
      ai.djl.nn.LambdaBlock all =
          new ai.djl.nn.LambdaBlock(
              in -> model.forward(new ParameterStore(in.head().getManager(), false), in, false));
      assertThat(rows().evaluate(all, 8).get("loss"))
          .isCloseTo(rows().evaluate(model, 8).get("loss"), within(1e-6));
    }
  }

  @Test
  void rows_without_anything_to_learn_are_left_out_and_counted() {
    List<long[]> ids = List.of(new long[] {5, 6, 7}, new long[] {5, 6}, new long[] {5});
    List<long[]> labels =
        List.of(new long[] {-100, 6, -100}, new long[] {-100, -100}, new long[] {5});
    CausalLanguageModeling rows = CausalLanguageModeling.of(ids, labels, 0);
    assertThat(rows.rows()).isEqualTo(1);
    assertThat(rows.leftOut()).isEqualTo(2);
    assertThat(rows.length(0)).as("cut behind the last token to learn").isEqualTo(2);
    assertThat(rows.describe())
        .isEqualTo("1 rows, 1 tokens to learn (2 more left out: nothing to learn)");
    assertThatThrownBy(() -> CausalLanguageModeling.of(ids.subList(1, 3), labels.subList(1, 3), 0))
        .hasMessageContaining("no row has a token to learn");
  }

  @Test
  void a_model_that_does_not_write_text_is_refused() {
    Conversations rows = new Conversations(List.of(Conversation.text("a")));
    try (Pretrained model = Models.load(GOLDEN.resolve("hf/base/bert"))) {
      assertThatThrownBy(() -> Models.evaluate(model, rows))
          .hasMessageContaining("does not write text");
    }
  }

  @Test
  void validation_rows_are_of_the_kind_of_the_training_rows() {
    Conversations rows = Conversations.of(List.of("a"), List.of("b"));
    try (Pretrained model = llama();
        Tuned tuned = start(model)) {
      Training run = Training.of(tuned, rows, r -> rows());
      assertThat(run.settings().batchSize()).isEqualTo(8);
      assertThat(run.validate(rows)).asString().contains("24 rows, 186 tokens to learn: ");
      assertThatThrownBy(() -> run.validate(Examples.of(List.of("a"), List.of("b"))))
          .hasMessageContaining("rows of the same kind");
    }
  }
}
