package org.peft4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.spi.Paths;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** Losses and gradients of encoder-decoders are those of transformers. */
@Tag("fast")
class Seq2SeqLanguageModelingTest {
  private static final Path ROOT = Path.of("src/test/resources/golden/seq2seq");

  private static List<long[]> rows(NDArray ids, long padding) {
    int width = (int) ids.getShape().get(1);
    long[] flat = ids.toLongArray();
    List<long[]> out = new ArrayList<>();
    for (int from = 0; from < flat.length; from += width) {
      long[] row = Arrays.copyOfRange(flat, from, from + width);
      out.add(Arrays.stream(row).filter(t -> t != padding).toArray());
    }
    return out;
  }

  private static Seq2SeqLanguageModeling objective(TensorSource io, NDManager manager) {
    return Seq2SeqLanguageModeling.of(
        rows(io.load("right.input_ids", manager), 0), rows(io.load("labels", manager), -100), 0, 0);
  }

  @ParameterizedTest
  @ValueSource(strings = {"t5", "t5_v11"})
  void loss_and_gradients_equal_transformers(String name) throws Exception {
    try (Pretrained model = Models.load(ROOT.resolve(name));
        TensorSource io = Safetensors.open(ROOT.resolve(name).resolve("io.safetensors"));
        NDManager manager = Torch.newManager()) {
      Seq2SeqLanguageModeling objective = objective(io, manager);
      Map<String, Parameter> parameters = Paths.parameters(model);
      parameters.values().forEach(p -> p.freeze(false));
      ParameterStore store = new ParameterStore(manager, false);
      try (Scope scope = Scope.open()) {
        parameters.values().forEach(p -> p.getArray().setRequiresGradient(true));
        try (GradientCollector collector = Torch.start().newGradientCollector()) {
          NDArray loss = objective.loss(model, store, manager, new int[] {0, 1, 2}, false);
          collector.backward(loss);
          assertThat(loss.getFloat())
              .isCloseTo(io.load("loss", manager).toFloatArray()[0], within(2e-6f));
        }
        int compared = 0;
        for (String n : io.names()) {
          if (n.startsWith("gradient.")) {
            NDArray expected = io.load(n, manager);
            NDArray actual = parameters.get(n.substring("gradient.".length())).getArray();
            assertThat(actual.getGradient().sub(expected).abs().max().getFloat())
                .as(n)
                .isLessThan(1e-5f);
            compared++;
          }
        }
        assertThat(compared).isGreaterThanOrEqualTo(6);
      }
    }
  }

  @Test
  void an_adapter_learns_and_figures_are_means_over_tokens() throws Exception {
    try (Pretrained model = Models.load(ROOT.resolve("mt5"));
        TensorSource io = Safetensors.open(ROOT.resolve("t5").resolve("io.safetensors"));
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.lora(model).rank(8).targets("q", "v", "o").seed(1).apply()) {
      Seq2SeqLanguageModeling objective = objective(io, manager);
      assertThat(objective.describe()).isEqualTo("3 rows, 20 tokens to learn");
      double before = objective.evaluate(tuned, 2).get("loss");
      assertThat(objective.evaluate(tuned, 3).get("loss")).isCloseTo(before, within(1e-5));
      tuned.fit(objective).epochs(20).batchSize(3).learningRate(2e-2).run();
      assertThat(objective.evaluate(tuned, 3).get("loss")).isLessThan(before - 0.5);
    }
  }

  @Test
  void rows_need_a_source_and_a_target_each() {
    List<long[]> one = List.of(new long[] {3});
    assertThatThrownBy(() -> Seq2SeqLanguageModeling.of(one, List.of(), 0, 0))
        .hasMessageContaining("one per source");
    assertThatThrownBy(() -> Seq2SeqLanguageModeling.of(one, List.of(new long[0]), 0, 0))
        .hasMessageContaining("at least one token");
  }
}
