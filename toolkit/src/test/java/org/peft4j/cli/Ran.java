package org.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import org.peft4j.format.Json;

/**
 * A command that was run in this process.
 *
 * @param code its exit code
 * @param out what it printed
 * @param err what it complained
 */
record Ran(int code, String out, String err) {
  /** Runs a command; arguments are taken as their texts. */
  static Ran of(Object... arguments) {
    PrintStream out = System.out;
    PrintStream err = System.err;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    ByteArrayOutputStream complained = new ByteArrayOutputStream();
    try {
      System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
      System.setErr(new PrintStream(complained, true, StandardCharsets.UTF_8));
      int code = Main.run(Arrays.stream(arguments).map(String::valueOf).toArray(String[]::new));
      return new Ran(
          code,
          printed.toString(StandardCharsets.UTF_8),
          complained.toString(StandardCharsets.UTF_8));
    } finally {
      System.setOut(out);
      System.setErr(err);
    }
  }

  /** Itself, if the command ended well. */
  Ran well() {
    assertThat(code).as(err).isZero();
    return this;
  }

  /** The JSON object in the last line of what it printed. */
  @SuppressWarnings("unchecked") // commands print objects
  Map<String, Object> json() {
    String last = well().out.lines().reduce((a, b) -> b).orElseThrow();
    return (Map<String, Object>) Json.parse(last, "output");
  }
}
