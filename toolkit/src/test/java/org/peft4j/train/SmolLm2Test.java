package org.peft4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.RealModels;
import org.peft4j.Tuned;
import org.peft4j.data.Conversations;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Torch;

/** A real language model of 135 million parameters, held against Hugging Face's PEFT. */
@Tag("model")
class SmolLm2Test {
  private static final int STEPS = 20;

  private final Path folder = RealModels.smolLm2();
  private final Map<String, Object> reference = reference();

  private Map<String, Object> reference() {
    try {
      return map(Json.read(folder.resolve("reference.json")));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private Pretrained load() {
    return Models.load(RealModels.smolLm2Weights());
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> map(Object o) {
    return (Map<String, Object>) o;
  }

  private static List<Double> numbers(Object list) {
    return ((List<?>) list).stream().map(v -> ((Number) v).doubleValue()).toList();
  }

  /** The rows of the stored batches, without their padding. */
  private CausalLanguageModeling stored() throws IOException {
    List<long[]> ids = new ArrayList<>();
    List<long[]> labels = new ArrayList<>();
    try (TensorSource batches = Safetensors.open(folder.resolve("batches.safetensors"));
        NDManager manager = Torch.newManager()) {
      for (int i = 0; i < STEPS; i++) {
        NDArray x = batches.load(i + ".input_ids", manager);
        NDArray y = batches.load(i + ".labels", manager);
        NDArray mask = batches.load(i + ".attention_mask", manager);
        for (long row = 0; row < x.getShape().get(0); row++) {
          long n = mask.get(row).sum().getLong();
          ids.add(x.get(row).get(":" + n).toLongArray());
          labels.add(y.get(row).get(":" + n).toLongArray());
        }
      }
    }
    return CausalLanguageModeling.of(ids, labels, 2);
  }

  @Test
  void rows_become_the_same_tokens_and_labels() throws IOException {
    String system = (String) map(reference.get("lora")).get("system");
    Conversations rows =
        Conversations.jsonl(folder.resolve("train.jsonl")).withSystem(system).take(8 * STEPS);
    try (Pretrained model = load()) {
      RowFormat format = Models.rowFormat(model);
      CausalLanguageModeling expected = stored();
      for (int i = 0; i < rows.size(); i++) {
        LabelledTokens row = format.encode(rows.get(i), model.tokenizer());
        assertThat(row.ids()).as("row " + i).containsExactly(expected.row(i).ids());
        assertThat(row.labels()).as("row " + i).containsExactly(expected.row(i).labels());
      }
    }
  }

  @Test
  void twenty_steps_of_lora_equal_hugging_face() throws IOException {
    Map<String, Object> lora = map(reference.get("lora"));
    List<Double> losses = numbers(lora.get("losses"));
    List<Double> norms = numbers(lora.get("grad_norms"));
    try (Pretrained model = load();
        Tuned tuned = Peft.load(model, folder.resolve("lora_start"));
        NDManager manager = Torch.newManager();
        TensorSource end =
            Safetensors.open(folder.resolve("lora_step20/adapter_model.safetensors"))) {
      assertThat(tuned.trainableParameters()).isEqualTo(460_800);
      Fit fit =
          tuned
              .fit(stored())
              .inOrder()
              .batchSize(8)
              .epochs(1)
              .learningRate(1e-3)
              .warmup(0)
              .schedule(Schedule.CONSTANT)
              .clip(0)
              .weightDecay(0)
              .quiet()
              .run();
      System.err.println(fit);
      double loss = 0;
      double norm = 0;
      for (int i = 0; i < STEPS; i++) {
        RunListener.Step s = fit.steps().get(i);
        loss = Math.max(loss, Math.abs(s.loss() / losses.get(i) - 1));
        norm = Math.max(norm, Math.abs(s.gradientNorm() / norms.get(i) - 1));
      }
      float weights = 0;
      for (var p : tuned.trainable().entrySet()) {
        String name = "base_model.model." + p.getKey().substring(p.getKey().indexOf(':') + 1);
        NDArray expected = end.load(name, manager);
        weights =
            Math.max(
                weights,
                p.getValue().getArray().stopGradient().sub(expected).abs().max().getFloat());
      }
      System.err.printf(
          "largest differences: loss %.2e, gradient norm %.2e (relative), weight %.2e%n",
          loss, norm, weights);
      assertThat(loss).as("losses, relative").isLessThan(1e-4);
      assertThat(norm).as("gradient norms, relative").isLessThan(1e-3);
      assertThat(weights).as("weights after 20 steps").isLessThan(2e-4f);
    }
  }

  @Test
  void perplexity_equals_hugging_face() throws IOException {
    Map<String, Object> expected = map(reference.get("perplexity"));
    try (Pretrained model = load()) {
      long[] tokens = model.tokenizer().encode(Files.readString(folder.resolve("text.txt"))).ids();
      assertThat(tokens).hasSize(((Number) expected.get("tokens")).intValue());
      Perplexity p = Perplexity.of(model, tokens, 512);
      System.err.println(p);
      assertThat(p.scored()).isEqualTo(((Number) expected.get("scored")).longValue());
      assertThat(p.value())
          .isCloseTo(
              ((Number) expected.get("value")).doubleValue(), Percentage.withPercentage(0.05));
      assertThat(p.loss())
          .isCloseTo(((Number) expected.get("mean_nll")).doubleValue(), within(5e-4));
    }
  }
}
