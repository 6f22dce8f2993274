package org.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.data.Conversations;
import org.peft4j.model.Pretrained;
import org.peft4j.text.TinyTokenizer;
import org.peft4j.train.Perplexity;

/** {@code peft train} and {@code peft perplexity}, from the files to the adapter. */
@Tag("fast")
class TrainCommandTest {
  @TempDir Path dir;

  private Path llama;

  private Path model(String name, String tokenizer) throws IOException {
    Path to = Files.createDirectories(dir.resolve(name));
    Path from;
    try {
      from = Path.of(getClass().getResource("/golden/hf/base/" + name).toURI());
    } catch (java.net.URISyntaxException e) {
      throw new IllegalStateException(e);
    }
    for (String file : List.of("config.json", "model.safetensors")) {
      Files.copy(from.resolve(file), to.resolve(file));
    }
    TinyTokenizer.write(to, tokenizer);
    return to;
  }

  private Path file(String name, Stream<String> lines) throws IOException {
    return Files.write(dir.resolve(name), lines.toList());
  }

  private Path file(String name, String... lines) throws IOException {
    return file(name, Stream.of(lines));
  }

  @BeforeEach
  void rows() throws IOException {
    llama = model("llama", TinyTokenizer.BYTE_BPE);
    file(
        "rows.jsonl",
        Stream.iterate(0, i -> i + 1)
            .limit(24)
            .map(
                i ->
                    "{\"prompt\":\"%s?\",\"completion\":\" %s!\"}"
                        .formatted("ab".repeat(1 + i % 3), "abc".repeat(1 + i % 4))));
  }

  private Path config(String... more) throws IOException {
    List<String> lines =
        new ArrayList<>(
            List.of(
                "model: " + llama,
                "output: " + dir.resolve("adapter"),
                "data:",
                "  train: " + dir.resolve("rows.jsonl")));
    lines.addAll(List.of(more));
    return file("run.yaml", lines.stream());
  }

  @Test
  void a_language_model_is_trained_tested_and_saved() throws IOException {
    Path config =
        config(
            "  test: " + dir.resolve("rows.jsonl"),
            "method:",
            "  name: lora",
            "  rank: 4",
            "  lora_alpha: 8",
            "  targets: [q, v, up]",
            "  layers: [1]",
            "training:",
            "  epochs: 2",
            "  batch_size: 4",
            "  accumulate: 2",
            "  learning_rate: 2e-2 # a number in YAML 1.2",
            "  schedule: constant",
            "  warmup: 0",
            "  max_length: 16");
    Map<String, Object> out = Ran.of("train", "--config", config.toString(), "--json").json();
    assertThat(out)
        .containsEntry("method", "lora")
        .containsEntry("rows", 24L)
        .containsEntry("steps", 6L)
        .containsEntry("ending", "complete")
        .containsEntry("truncated", 0L)
        .containsEntry("left_out", 0L)
        .containsEntry("validation", null);
    List<?> losses = (List<?>) out.get("losses");
    assertThat((Double) losses.get(5)).isLessThan((Double) losses.get(0));
    @SuppressWarnings("unchecked")
    Map<String, Double> test = (Map<String, Double>) out.get("test");
    assertThat(test).containsOnlyKeys("perplexity", "loss", "accuracy");
    try (Pretrained model = Models.load(llama);
        Tuned tuned = Peft.load(model, dir.resolve("adapter"))) {
      assertThat(tuned.trainableParameters()).isEqualTo((Long) out.get("trainable"));
      assertThat(tuned.evaluate(Conversations.jsonl(dir.resolve("rows.jsonl"))).get("loss"))
          .isCloseTo(test.get("loss"), within(1e-6));
    }
    String again =
        Files.readString(config)
            .replaceFirst(
                "(?s)method:.*training:", "adapter: " + dir.resolve("adapter") + "\ntraining:");
    Files.writeString(config, again);
    Ran more = Ran.of("train", "--config", config.toString());
    assertThat(more.code()).as(more.err()).isZero();
    assertThat(more.out()).contains("lora", "test: perplexity", "-> " + dir.resolve("adapter"));
  }

  @Test
  void a_classifier_is_trained_on_labels_of_the_file() throws IOException {
    Path bert = model("bert_plain", TinyTokenizer.WORD_PIECE);
    Path train =
        file(
            "train.csv",
            Stream.concat(
                Stream.of("sentence,kind"),
                Stream.iterate(0, i -> i + 1)
                    .limit(40)
                    .map(
                        i ->
                            (i % 2 == 0 ? "hello a " : "world c ")
                                + "b ".repeat(i / 2)
                                + (i % 2 == 0 ? ",greeting" : ",noun"))));
    Path config =
        file(
            "run.yaml",
            "model: " + bert,
            "output: " + dir.resolve("adapter"),
            "method: {name: vera, rank: 16, targets: all-linear}",
            "data: {train: " + train + ", split: 3, text: sentence, label: kind, train_rows: 20}",
            "training: {epochs: 1, batch_size: 5, learning_rate: 1e-2, keep_best: true}");
    Map<String, Object> out = Ran.of("train", "--config", config.toString(), "--json").json();
    assertThat(out).containsEntry("method", "vera").containsEntry("rows", 20L);
    assertThat(out.get("test")).asString().contains("accuracy", "f1", "loss");
    assertThat(out.get("validation")).asString().contains("accuracy");
    assertThat(dir.resolve("adapter/peft4j.json")).content().contains("greeting", "noun");
  }

  @ParameterizedTest
  @CsvSource({
    "'modell: x', unknown key 'modell', write model",
    "'training: {epoch: 2}', unknown key 'training.epoch', write epochs",
    "'method: {rnk: 8}', unknown key 'method.rnk', write rank",
    "'method: {r: 8, use_everything: true}', unknown key 'method.use_everything', leave it out",
    "'training: {epochs: many}', training.epochs, expected: a number",
    "'training: {schedule: steep}', training.schedule, 'expected: one of [constant, linear,"
        + " cosine]'",
    "'training: {checkpoint_every: 5}', training.checkpoint, 'expected: a file, beside'",
    "'method: {name: lore}', method, expected: one of",
    "'method: {r: 0}', rank, ''",
    "'training: 3', training, expected: keys and values",
    "'adapter: x\nmethod: {r: 8}', method, 'expected: nothing, beside adapter'",
    "'seed: 1\nseed: 2', not YAML, duplicate key",
    "'a: [', not YAML, run.yaml"
  })
  void what_is_wrong_is_refused_by_name(String lines, String what, String how) throws IOException {
    Ran outcome = Ran.of("train", "--config", config(lines.split("\n")).toString());
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.err()).contains(what).contains(how);
    assertThat(dir.resolve("adapter")).doesNotExist();
  }

  @Test
  void what_is_missing_is_named() throws IOException {
    Path empty = file("run.yaml", "model: " + llama);
    assertThat(Ran.of("train", "--config", empty.toString()).err())
        .contains("run.yaml: output", "found: nothing");
    assertThat(Ran.of("train", "--config", dir.resolve("no.yaml").toString()).err())
        .contains("no.yaml: no such file");
    assertThat(Ran.of("train").code()).isEqualTo(2);
  }

  @Test
  void perplexity_is_printed_as_json() throws IOException {
    Path text = file("text.txt", "ab abc! abab ab?".repeat(9));
    Map<String, Object> out =
        Ran.of(
                "perplexity",
                "--model",
                llama.toString(),
                "--text",
                text.toString(),
                "--window",
                "20",
                "--json")
            .json();
    try (Pretrained model = Models.load(llama)) {
      Perplexity p =
          Perplexity.of(model, model.tokenizer().encode(Files.readString(text)).ids(), 20);
      assertThat(out).containsOnlyKeys("perplexity", "scored");
      assertThat((Double) out.get("perplexity")).isCloseTo(p.value(), within(1e-9));
      assertThat(out).containsEntry("scored", p.scored());
    }
    assertThat(Ran.of("perplexity", "--model", llama.toString(), "--text", "no.txt").err())
        .contains("no.txt: no such file");
  }
}
