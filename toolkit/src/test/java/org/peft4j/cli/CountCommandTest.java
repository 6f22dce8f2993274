package org.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.peft4j.Models;

/** {@code peft count} gives the figures of the papers, from the sizes of the models alone. */
@Tag("fast")
class CountCommandTest {
  private static Map<String, ?> count(String... args) {
    return Ran.of((Object[]) args).json();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        // 56.1 M and 56.6 M in the tables of SBoRA (arXiv 2407.05413), 0.8 M of LoRA's
        "llama-7b; 32; q,k,v,up,down; 56098816",
        "llama3-8b; 32; q,k,v,up,down; 56623104",
        "roberta-large; 8; q,v; 786432",
        // 4.7 M and 37.7 M of LoRA (arXiv 2106.09685), then its table 5: 18 M spent in four ways
        "gpt3-175b; 1; q,v; 4718592",
        "gpt3-175b; 8; q,v; 37748736",
        "gpt3-175b; 8; q; 18874368",
        "gpt3-175b; 8; o; 18874368",
        "gpt3-175b; 4; q,v; 18874368",
        "gpt3-175b; 2; q,k,v,o; 18874368",
        "gpt2; 8; c_attn; 294912",
        "mt0-large; 8; q,v; 2359296",
      })
  void trainable_parameters_of_papers(String model, int rank, String targets, long trainable) {
    Map<String, ?> line =
        count(
            "count",
            "--model",
            model,
            "--rank",
            String.valueOf(rank),
            "--targets",
            targets,
            "--json");
    assertThat(line.get("trainable")).isEqualTo(trainable);
  }

  @ParameterizedTest
  @CsvSource({
    "llama-7b, 6738415616",
    "llama3-8b, 8030261248",
    "mistral-7b, 7241732096",
    "smollm2-135m, 134515008",
    "qwen2.5-0.5b, 494032768",
    "qwen3-0.6b, 596049920",
    "gpt2, 124439808",
    "gpt3-175b, 174604259328",
    "bert-base, 109482240",
    "roberta-large, 355359744",
    "vit-base, 86567656",
    "mt0-large, 1229581312",
    "t5-xxl, 11135332352"
  })
  void sizes_of_well_known_models(String name, long parameters) {
    assertThat(Models.meta(name).parameters()).isEqualTo(parameters);
  }

  /** {@code all params} of PEFT's quickstart counts the adapter too. */
  @Test
  void the_share_of_the_quickstart_model() {
    Map<String, ?> line =
        count("count", "--model", "mt0-large", "--rank", "8", "--targets", "q,v", "--json");
    assertThat(line.get("total")).isEqualTo(1231940608L);
    double share = 100.0 * (Long) line.get("trainable") / (Long) line.get("total");
    assertThat(share).isEqualTo(0.19151053100118282);
  }

  @Test
  void an_unknown_name_is_refused_with_the_known_ones() {
    assertThatThrownBy(() -> Models.meta("llama-9b"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("llama-7b");
  }

  @ParameterizedTest
  @CsvSource({
    "llama-7b, prompt_tuning, num_virtual_tokens=5, 20480",
    "t5-xxl, prompt_tuning, num_virtual_tokens=5, 20480", // of arXiv 2104.08691
    // keys and values of 4 tokens in 32 layers, 8 key heads of 128
    "llama3-8b, prefix_tuning, num_virtual_tokens=4, 262144",
    // 24 layers of 1024 to 64 and back, with biases
    "roberta-large, pfeiffer, reduction_factor=16, 3171840"
  })
  void hooks_by_their_own_options(String model, String method, String option, long trainable) {
    Map<String, ?> line =
        count("count", "--model", model, "--method", method, "--set", option, "--json");
    assertThat(line.get("trainable")).isEqualTo(trainable);
  }

  /** 57.0, 28.0, 28.0 and 57.4, 25.2, 31.5 M in the tables of SBoRA (arXiv 2407.05413). */
  @ParameterizedTest
  @CsvSource({
    "llama-7b, dora, 56975360",
    "llama-7b, sbora_fa, 28049408",
    "llama-7b, sbora_fb, 28049408",
    "llama3-8b, dora, 57409536",
    "llama3-8b, sbora_fa, 25165824",
    "llama3-8b, sbora_fb, 31457280"
  })
  void methods_at_rank_32(String model, String method, long trainable) {
    String targets = "q,k,v,up,down";
    Map<String, ?> line =
        count(
            "count",
            "--model",
            model,
            "--method",
            method,
            "--rank",
            "32",
            "--targets",
            targets,
            "--json");
    assertThat(line.get("trainable")).isEqualTo(trainable);
  }

  @Test
  void mora_has_a_square_matrix_of_loras_budget() {
    Map<String, ?> line =
        count(
            "count",
            "--model",
            "llama-7b",
            "--method",
            "mora",
            "--rank",
            "8",
            "--targets",
            "q",
            "--json");
    assertThat(line.get("trainable")).isEqualTo(32L * 256 * 256); // 65,536 per 4096 x 4096
  }

  @Test
  void an_option_that_the_method_has_not_is_refused() {
    PrintStream err = System.err;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    try {
      System.setErr(new PrintStream(printed, true, StandardCharsets.UTF_8));
      String[] args = {"count", "--model", "llama-7b", "--method", "pfeiffer", "--rank", "4"};
      assertThat(Main.run(args)).isNotZero();
    } finally {
      System.setErr(err);
    }
    assertThat(printed.toString(StandardCharsets.UTF_8)).contains("--rank: pfeiffer has none");
  }
}
