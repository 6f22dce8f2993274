package org.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
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

  /** The exit code, what was printed, what was complained. */
  private record Said(int code, String out, String err) {}

  private static Said peft(String... args) {
    PrintStream out = System.out;
    PrintStream err = System.err;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    ByteArrayOutputStream complained = new ByteArrayOutputStream();
    try {
      System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
      System.setErr(new PrintStream(complained, true, StandardCharsets.UTF_8));
      int code = Main.run(args);
      return new Said(
          code,
          printed.toString(StandardCharsets.UTF_8),
          complained.toString(StandardCharsets.UTF_8));
    } finally {
      System.setOut(out);
      System.setErr(err);
    }
  }

  private static Map<String, Object> json(Said said) {
    assertThat(said.code).as(said.err).isZero();
    String last = said.out.lines().reduce((a, b) -> b).orElseThrow();
    @SuppressWarnings("unchecked")
    Map<String, Object> object = (Map<String, Object>) Json.parse(last, "output");
    return object;
  }

  @Test
  void a_folder_writes_what_the_model_writes() throws Exception {
    Map<String, Object> model =
        json(peft("generate", "--model", GGUF, "--prompt", "a cat", "--max-tokens", "9", "--json"));
    for (String profile : new String[] {"standard", "ort"}) {
      String out = dir.resolve(profile).toString();
      assertThat(
              json(
                  peft(
                      "export",
                      "--model",
                      GGUF,
                      "--out",
                      out,
                      "--profile",
                      profile,
                      "--genai",
                      "--json")))
          .containsEntry("profile", profile)
          .containsKeys("out", "nodes", "opset", "max_abs_difference");
      assertThat(dir.resolve(profile))
          .isDirectoryContaining("glob:**/tokenizer.json")
          .isDirectoryContaining("glob:**/config.json");
      assertThat(
              json(
                  peft(
                      "generate",
                      "--model",
                      out,
                      "--prompt",
                      "a cat",
                      "--max-tokens",
                      "9",
                      "--json")))
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
    Said said = peft("export", "--model", GGUF, "--out", out);
    assertThat(said.code).as(said.err).isZero();
    assertThat(said.out)
        .contains("nodes, opset 17", "logits, token by token", "present.*.key", "passed");
    assertThat(said.out.lines()).hasSizeLessThan(30);
    assertThat(peft("export", "--model", GGUF, "--out", out, "--genai").err)
        .contains("--genai", "expected: a folder for --out");
    assertThat(peft("export", "--model", GGUF, "--out", out, "--profile", "fast").err)
        .contains("expected: standard or ort");
    assertThat(Files.exists(dir.resolve("genai_config.json"))).isFalse();
  }
}
