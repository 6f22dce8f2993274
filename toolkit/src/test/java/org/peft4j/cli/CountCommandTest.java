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
import org.peft4j.format.Json;

/** {@code peft count} gives the figures of the papers, from the sizes of the models alone. */
@Tag("fast")
class CountCommandTest {
  @SuppressWarnings("unchecked")
  private static Map<String, ?> count(String... args) {
    PrintStream out = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    try {
      System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
      assertThat(Main.run(args)).isZero();
    } finally {
      System.setOut(out);
    }
    return (Map<String, ?>) Json.parse(printed.toString(StandardCharsets.UTF_8).strip(), "output");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        // 56.1 M and 56.6 M in the tables of SBoRA (arXiv 2407.05413), 0.8 M of LoRA's
        "llama-7b; 32; q,k,v,up,down; 56098816",
        "llama3-8b; 32; q,k,v,up,down; 56623104",
        "roberta-large; 8; q,v; 786432",
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
    "bert-base, 109482240",
    "roberta-large, 355359744",
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
}
