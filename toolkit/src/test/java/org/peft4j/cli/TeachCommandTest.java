package org.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.data.Conversations;
import org.peft4j.format.Json;
import org.peft4j.model.Pretrained;
import org.peft4j.text.TinyTokenizer;

/** {@code peft teach} on a model of two layers with random weights. */
@Tag("fast")
class TeachCommandTest {
  @TempDir Path dir;

  private Path llama;
  private Path adapter;

  @BeforeEach
  void model() throws Exception {
    llama = Files.createDirectories(dir.resolve("llama"));
    adapter = dir.resolve("adapter");
    Path from = Path.of(getClass().getResource("/golden/hf/base/llama").toURI());
    for (String file : List.of("config.json", "model.safetensors")) {
      Files.copy(from.resolve(file), llama.resolve(file));
    }
    TinyTokenizer.write(llama, TinyTokenizer.BYTE_BPE);
  }

  private String teach(String... more) {
    List<Object> args =
        new java.util.ArrayList<>(List.of("teach", "--model", llama, "--out", adapter));
    args.addAll(List.of(more));
    Ran ran = Ran.of(args.toArray());
    if (ran.code() != 0) {
      throw new IllegalArgumentException(ran.err());
    }
    return ran.out();
  }

  private Path rows(String name, String completion) throws IOException {
    return Files.write(
        dir.resolve(name),
        IntStream.range(0, 12)
            .mapToObj(
                i ->
                    "{\"prompt\":\"%s?\",\"completion\":\"%s\"}"
                        .formatted("ab".repeat(1 + i % 3), completion))
            .toList());
  }

  @Test
  void made_up_rows_are_asked_learned_and_asked_again() throws IOException {
    String said = teach("--steps", "2", "--questions", "3", "--show", "2");
    assertThat(said)
        .contains("16 rows to learn from, 3 others to answer")
        .contains("before: exact match 0.0 % (0 of 3)")
        .contains("2 steps in")
        .contains("after: exact match 0.0 % (0 of 3)")
        .containsPattern("asked +\\| before +\\| after")
        .contains("-> " + adapter);
    assertThat(said.lines()).allMatch(line -> line.length() <= 110, "fits a terminal");
    try (Pretrained model = Models.load(llama);
        Tuned tuned = Peft.load(model, adapter)) {
      assertThat(tuned.trainableParameters()).isPositive();
    }
  }

  @Test
  @SuppressWarnings("unchecked")
  void rows_of_the_users_own_are_learned_to_the_letter() throws IOException {
    Path rows = rows("rows.jsonl", "ab!");
    String said =
        teach(
            "--train",
            rows.toString(),
            "--test",
            rows.toString(),
            "--steps",
            "120",
            "--questions",
            "9",
            "--json");
    List<String> lines = said.lines().toList();
    Map<String, Object> out =
        (Map<String, Object>) Json.parse(lines.get(lines.size() - 1), "output");
    assertThat(out)
        .containsEntry("output", adapter.toString())
        .containsEntry("steps", 120L)
        .containsEntry("questions", 9L)
        .containsEntry("exact_match_before", 0.0);
    assertThat((List<Double>) out.get("losses")).hasSize(120);
    List<Map<String, Object>> answers = (List<Map<String, Object>>) out.get("answers");
    assertThat(answers).hasSize(9);
    long right = answers.stream().filter(a -> a.get("after").equals(a.get("expected"))).count();
    assertThat(out).containsEntry("exact_match_after", right / 9.0);
    try (Pretrained model = Models.load(llama);
        Tuned tuned = Peft.load(model, adapter)) {
      Conversations asked = Conversations.jsonl(rows).take(9);
      assertThat(
              Answers.of(tuned, model.tokenizer(), lined(asked), 48, "again").all().stream()
                  .map(Answers.Answer::given))
          .isEqualTo(answers.stream().map(a -> a.get("after")).toList());
    }
  }

  private static Conversations lined(Conversations rows) {
    return new Conversations(rows.stream().map(TeachCommand::lines).toList());
  }

  @Test
  void what_cannot_be_taught_is_refused_before_anything_is_done() throws IOException {
    Path rows = rows("rows.jsonl", "ab");
    Path texts = Files.writeString(dir.resolve("texts.jsonl"), "{\"text\":\"ab\"}\n");
    assertThatThrownBy(() -> teach("--steps", "0")).hasMessageContaining("--steps: expected");
    assertThatThrownBy(() -> teach("--train", rows.toString()))
        .hasMessageContaining("--test: expected beside the other");
    assertThatThrownBy(() -> teach("--train", rows.toString(), "--test", texts.toString()))
        .hasMessageContaining("texts.jsonl", "rows of prompt and completion");
    Files.delete(llama.resolve("tokenizer.json"));
    assertThatThrownBy(() -> teach()).hasMessageContaining("has no tokenizer");
    assertThat(adapter).doesNotExist();
  }
}
