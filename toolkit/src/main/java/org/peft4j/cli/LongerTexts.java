package org.peft4j.cli;

import ai.djl.nn.Block;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.data.Examples;
import org.peft4j.format.AtomicFiles;
import org.peft4j.model.Pretrained;
import org.peft4j.train.CausalLanguageModeling;
import org.peft4j.train.Objective;

/**
 * For LongLoRA: a small Llama, trained here on texts of {@value #SHORT} characters, is to read four
 * times as many. The text is the glosses one behind the other; what counts are the characters
 * beyond those it knew places for.
 */
final class LongerTexts implements OwnTask {
  private static final int SHORT = 64;
  private static final int LONG = 4 * SHORT;
  private static final int CHARACTERS = 128;
  private static final int FIRST_STEPS = 1_500;
  private static final double FIRST_RATE = 2e-3;

  private final ComparedData data;
  private final Map<Integer, Pretrained> bases = new HashMap<>();

  LongerTexts(ComparedData data) {
    this.data = data;
  }

  @Override
  public String method() {
    return "longlora";
  }

  @Override
  public String description() {
    return "longer texts: the next character behind "
        + SHORT
        + " to "
        + (LONG - 1)
        + " others, by a Llama of 4 layers that was trained on texts of "
        + SHORT;
  }

  @Override
  public boolean isInstead() {
    return true;
  }

  @Override
  public double without(int seed) throws IOException {
    return accuracy(base(seed), test(seed));
  }

  @Override
  public Comparison.Run with(double rate, int seed, boolean heldOut) throws IOException {
    try (Pretrained longer = base(seed).withContext(LONG);
        Tuned tuned = Peft.longLora(longer).seed(seed).apply()) {
      Objective scored = heldOut ? test(seed) : validation(seed);
      return data.fit(
          tuned, tuned.fit(train(seed)), t -> accuracy(t, scored), method(), rate, seed);
    }
  }

  @Override
  public Cost.Steps someSteps() {
    Pretrained model = Models.untrained(config(), 0).withContext(LONG);
    try (Tuned tuned = Peft.longLora(model).apply()) {
      return Cost.steps(tuned.fit(train(0)).batchSize(ComparedData.BATCH));
    }
  }

  private static double accuracy(Block model, Objective rows) {
    return rows.evaluate(model, ComparedData.BATCH).get("accuracy");
  }

  /** The model that knows short texts. */
  private Pretrained base(int seed) throws IOException {
    Pretrained known = bases.get(seed);
    if (known != null) {
      return known;
    }
    Path saved = Files.createTempDirectory("peft4j-short");
    try (Tuned all = Peft.full(Models.untrained(config(), seed)).apply()) {
      int rows = FIRST_STEPS * ComparedData.BATCH;
      all.fit(windows(data.splits().train(), SHORT, rows, 0, seed))
          .epochs(1)
          .batchSize(ComparedData.BATCH)
          .learningRate(FIRST_RATE)
          .seed(seed)
          .quiet()
          .run();
      all.merge().save(saved);
      Pretrained base = Models.load(saved);
      bases.put(seed, base);
      return base;
    } finally {
      AtomicFiles.deleteTree(saved);
    }
  }

  private static Map<String, ?> config() {
    return Map.ofEntries(
        Map.entry("model_type", "llama"),
        Map.entry("architectures", List.of("LlamaForCausalLM")),
        Map.entry("hidden_size", 128),
        Map.entry("intermediate_size", 256),
        Map.entry("num_hidden_layers", 4),
        Map.entry("num_attention_heads", 4),
        Map.entry("num_key_value_heads", 4),
        Map.entry("hidden_act", "silu"),
        Map.entry("rms_norm_eps", 1e-6),
        Map.entry("rope_theta", 10_000.0),
        Map.entry("max_position_embeddings", SHORT),
        Map.entry("tie_word_embeddings", false),
        Map.entry("vocab_size", CHARACTERS));
  }

  private Objective train(int seed) {
    return windows(data.splits().train(), LONG, data.size().train(), SHORT, seed);
  }

  private Objective validation(int seed) {
    return windows(data.splits().validation(), LONG, data.size().validation(), SHORT, seed);
  }

  private Objective test(int seed) {
    return windows(data.splits().test(), LONG, data.size().test(), SHORT, seed);
  }

  /** Texts of so many characters, in random order; all from {@code from} on are learned. */
  private static Objective windows(Examples glosses, int length, int most, int from, int seed) {
    String text = String.join("\n", glosses.shuffled(seed).texts());
    byte[] characters = text.getBytes(StandardCharsets.US_ASCII);
    int n = Math.min(most, characters.length / length);
    List<long[]> ids = new ArrayList<>();
    List<long[]> labels = new ArrayList<>();
    for (int row = 0; row < n; row++) {
      long[] one = new long[length];
      for (int i = 0; i < length; i++) {
        one[i] = characters[row * length + i];
      }
      long[] learned = one.clone();
      Arrays.fill(learned, 0, from, -100);
      ids.add(one);
      labels.add(learned);
    }
    return CausalLanguageModeling.of(ids, labels, 0);
  }
}
