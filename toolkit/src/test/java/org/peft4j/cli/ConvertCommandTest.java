package org.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.format.GgufFixtures;

@Tag("fast")
class ConvertCommandTest {
  @TempDir Path folder;

  @Test
  void gguf_to_a_directory_and_back() {
    Path gguf = GgufFixtures.path("llama.gguf");
    Path dir = folder.resolve("dir");
    Path again = folder.resolve("again.gguf");
    assertThat(Ran.of("convert", "--model", gguf, "--out", dir, "--dtype", "bf16", "--json").json())
        .isEqualTo(Map.of("out", dir.toString(), "dtype", "bf16", "parameters", 86_144L));
    assertThat(dir.resolve("config.json")).exists();
    assertThat(dir.resolve("tokenizer.json")).exists();
    assertThat(
            Ran.of("convert", "--model", dir, "--out", again, "--dtype", "q8_0", "--json").json())
        .containsEntry("dtype", "q8_0");
    assertThat(Ran.of("info", "--model", again, "--json").json())
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

  @Test
  void an_adapter_to_gguf_and_back() {
    Path gguf = GgufFixtures.path("llama.gguf");
    Path dir = GgufFixtures.path("lora/llama");
    Path file = folder.resolve("a.gguf");
    Path again = folder.resolve("again");
    assertThat(Ran.of("convert", "--model", gguf, "--adapter", dir, "--out", file, "--json").json())
        .isEqualTo(Map.of("out", file.toString(), "dtype", "f32", "parameters", 7_040L));
    assertThat(file).hasSameBinaryContentAs(GgufFixtures.path("lora/llama.gguf"));
    assertThat(
            Ran.of(
                    "convert",
                    "--model",
                    gguf,
                    "--adapter",
                    file,
                    "--rank",
                    1,
                    "--out",
                    again,
                    "--json")
                .json())
        .containsKey("least_energy");
    assertThat(again.resolve("adapter_config.json")).exists();
    assertThat(Ran.of("info", "--model", gguf, "--adapter", again, "--json").json())
        .containsEntry("adapter", "lora");
  }
}
