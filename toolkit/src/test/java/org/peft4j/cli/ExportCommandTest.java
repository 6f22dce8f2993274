package org.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.format.Json;

/** {@code peft export}, and {@code peft generate} on what it wrote. */
@Tag("fast")
class ExportCommandTest {
  private static final String GGUF = "src/test/resources/gguf/llama.gguf";

  @TempDir Path dir;

  @Test
  void a_folder_writes_what_the_model_writes() throws Exception {
    Map<String, Object> model =
        Ran.of("generate", "--model", GGUF, "--prompt", "a cat", "--max-tokens", "9", "--json")
            .json();
    for (String profile : new String[] {"standard", "ort"}) {
      String out = dir.resolve(profile).toString();
      assertThat(
              Ran.of(
                      "export",
                      "--model",
                      GGUF,
                      "--out",
                      out,
                      "--profile",
                      profile,
                      "--genai",
                      "--json")
                  .json())
          .containsEntry("profile", profile)
          .containsKeys("out", "nodes", "opset", "max_abs_difference");
      assertThat(dir.resolve(profile))
          .isDirectoryContaining("glob:**/tokenizer.json")
          .isDirectoryContaining("glob:**/config.json");
      assertThat(
              Ran.of("generate", "--model", out, "--prompt", "a cat", "--max-tokens", "9", "--json")
                  .json())
          .containsEntry("text", model.get("text"))
          .containsEntry("tokens", model.get("tokens"));
      Map<?, ?> genai = (Map<?, ?>) Json.read(dir.resolve(profile + "/genai_config.json"));
      assertThat(genai.get("model").toString())
          .contains("past_key_values.%d.key", "filename=model.onnx", "type=llama");
      assertThat(genai.get("search").toString())
          .contains("past_present_share_buffer=" + profile.equals("ort"));
    }
  }

  @Test
  void a_table_is_shown_and_wrong_wishes_are_refused() {
    String out = dir.resolve("m.onnx").toString();
    Ran said = Ran.of("export", "--model", GGUF, "--out", out);
    said.well();
    assertThat(said.out())
        .contains("nodes, opset 17", "logits, token by token", "present.*.key", "passed");
    assertThat(said.out().lines()).hasSizeLessThan(30);
    assertThat(Ran.of("export", "--model", GGUF, "--out", out, "--genai").err())
        .contains("--genai", "expected: a folder for --out");
    assertThat(Ran.of("export", "--model", GGUF, "--out", out, "--profile", "fast").err())
        .contains("expected: standard or ort");
    assertThat(Files.exists(dir.resolve("genai_config.json"))).isFalse();
  }

  @Test
  void weights_are_stored_smaller_and_what_they_lose_is_told() throws Exception {
    Path plain = dir.resolve("plain.onnx");
    Path half = dir.resolve("half.onnx");
    Ran.of("export", "--model", GGUF, "--out", plain).well();
    assertThat(Ran.of("export", "--model", GGUF, "--out", half, "--quantize", "fp16").well().out())
        .contains("rms error / rms", "fp16", "passed");
    assertThat(Files.size(half)).isLessThan(Files.size(plain) * 3 / 4);
    assertThat(
            Ran.of("export", "--model", GGUF, "--out", half, "--quantize", "fp16", "--json").json())
        .containsEntry("quantize", "fp16")
        .hasEntrySatisfying(
            "weight_error", e -> assertThat((Double) e).isStrictlyBetween(0.0, 1e-3));
  }

  @Test
  void few_bits_are_for_matrices_large_enough_to_gain() throws Exception {
    Path plain = dir.resolve("plain.onnx");
    Path small = dir.resolve("small.onnx");
    Ran.of("export", "--model", GGUF, "--out", plain, "--profile", "ort").well();
    for (String type : new String[] {"int4", "int8"}) {
      Ran said =
          Ran.of("export", "--model", GGUF, "--out", small, "--profile", "ort", "--quantize", type);
      assertThat(said.well().out())
          .contains("model.embed_tokens.weight  int8/")
          .containsPattern("total +1 of them");
    }
    assertThat(
            Ran.of(
                    "export",
                    "--model",
                    GGUF,
                    "--out",
                    small,
                    "--profile",
                    "ort",
                    "--quantize",
                    "int4")
                .code())
        .isZero();
    assertThat(Files.size(small)).isLessThan(Files.size(plain));
    assertThat(Ran.of("export", "--model", GGUF, "--out", small, "--quantize", "int3").err())
        .contains("--quantize", "int4, int8 or fp16", "int3");
  }
}
