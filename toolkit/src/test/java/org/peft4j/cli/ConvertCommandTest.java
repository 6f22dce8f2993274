package org.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.format.GgufFixtures;
import org.peft4j.format.Json;

@Tag("fast")
class ConvertCommandTest {
  @TempDir Path folder;

  @Test
  void gguf_to_a_directory_and_back() {
    Path gguf = GgufFixtures.path("llama.gguf");
    Path dir = folder.resolve("dir");
    Path again = folder.resolve("again.gguf");
    assertThat(run("convert", "--model", gguf, "--out", dir, "--dtype", "bf16", "--json"))
        .isEqualTo(Map.of("out", dir.toString(), "dtype", "bf16", "parameters", 86_144L));
    assertThat(dir.resolve("config.json")).exists();
    assertThat(dir.resolve("tokenizer.json")).exists();
    assertThat(run("convert", "--model", dir, "--out", again, "--dtype", "q8_0", "--json"))
        .containsEntry("dtype", "q8_0");
    assertThat(run("info", "--model", again, "--json"))
        .containsEntry("model", "again")
        .containsEntry("model_type", "llama")
        .containsEntry("task", "causal_lm");
  }

  @Test
  void a_type_that_a_directory_has_not_ends_with_1() {
    Path dir = folder.resolve("dir");
    assertThat(
            Main.run(
                "convert",
                "--model",
                GgufFixtures.path("llama.gguf").toString(),
                "--out",
                dir.toString(),
                "--dtype",
                "q4_0"))
        .isEqualTo(1);
    assertThat(Files.exists(dir)).isFalse();
  }

  /** Runs a command and reads the JSON of its last line. */
  private static Map<String, Object> run(Object... arguments) {
    String[] line = new String[arguments.length];
    for (int i = 0; i < line.length; i++) {
      line[i] = arguments[i].toString();
    }
    PrintStream console = System.out;
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
    try {
      assertThat(Main.run(line)).isZero();
    } finally {
      System.setOut(console);
    }
    String[] lines = out.toString(StandardCharsets.UTF_8).strip().split("\n");
    Map<String, Object> json = new HashMap<>();
    ((Map<?, ?>) Json.parse(lines[lines.length - 1], "output"))
        .forEach((key, value) -> json.put(String.valueOf(key), value));
    return json;
  }
}
