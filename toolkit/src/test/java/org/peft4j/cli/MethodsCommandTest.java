package org.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.adapter.Methods;

/** The tables of all methods: what they are, what they cost, how they do. */
class MethodsCommandTest {
  @TempDir Path dir;

  private static String printed(String... args) {
    return Ran.of((Object[]) args).well().out();
  }

  private static String line(String text, String method) {
    return text.lines()
        .filter(l -> l.strip().startsWith(method + " "))
        .findFirst()
        .orElseThrow(() -> new AssertionError(method + " is not in\n" + text))
        .strip()
        .replaceAll(" +", " ");
  }

  @Test
  @Tag("fast")
  void the_list_has_every_method_with_what_it_would_train_in_a_model() {
    String text = printed("methods", "--model", "llama-7b");
    Methods.all().forEach(m -> line(text, m.name()));
    assertThat(line(text, "lora"))
        .contains(" 4,194,304 ") // r 8 on q and v: 32 layers x 2 x 8 x (4096 + 4096)
        .contains(" yes yes yes LORA ");
    assertThat(line(text, "mora")).doesNotContain("MORA");
    assertThat(line(text, "prompt_tuning")).contains("what flows no yes no PROMPT_TUNING");
    assertThat(printed("methods")).doesNotContain(" trainable ");
  }

  @Test
  @Tag("fast")
  void the_cost_of_methods_is_measured() {
    String text =
        printed("bench", "--size", "64", "--tokens", "8", "--runs", "3", "--storage", "nf4");
    assertThat(text).contains("64 x 64").contains("8 tokens").contains("nf4");
    assertThat(line(text, "lora")).matches("lora \\d+\\.\\d \\d+\\.\\d \\d+\\.\\d\\d");
    assertThat(line(text, "dora")).matches("dora .*");
  }

  @Test
  @Tag("model")
  void methods_are_compared_on_real_data_and_a_stopped_comparison_goes_on() throws IOException {
    String[] args = {
      "compare",
      "--methods",
      "ia3",
      "--train",
      "64",
      "--test",
      "50",
      "--seeds",
      "2",
      "--out",
      dir.toString()
    };
    printed(args);
    Path table = dir.resolve("table.md");
    String first = Files.readString(table);
    assertThat(first.lines().filter(l -> l.startsWith("| frozen features | 10,010 |"))).hasSize(1);
    assertThat(first.lines().filter(l -> l.startsWith("| ia3 | "))).hasSize(1);
    printed(args);
    assertThat(table).hasContent(first);
  }
}
