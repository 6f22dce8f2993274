package org.peft4j.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.peft4j.format.Json;

/** The same work by transformers in Python, as a process of its own. */
final class TransformersTimes {
  private static final String SCRIPT = "toolkit/src/test/python/bench_transformers.py";

  private TransformersTimes() {}

  /**
   * Seconds of each run, by what was run.
   *
   * @param python an interpreter that has transformers
   */
  static Map<String, double[]> of(Path python, String... arguments) throws IOException {
    Path script = Path.of(System.getProperty("peft4j.root", "."), SCRIPT);
    if (!Files.isRegularFile(script)) {
      throw new IllegalArgumentException(
          "--python: no script at " + script + "\nfix: run ./peft of a checkout");
    }
    List<String> command = new ArrayList<>(List.of(python.toString(), script.toString()));
    command.addAll(List.of(arguments));
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    process.getOutputStream().close();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (!out.startsWith("{")) {
      throw new IllegalStateException(
          String.join(" ", command) + " told no times\nfound: " + out.strip());
    }
    Map<String, double[]> times = new LinkedHashMap<>();
    ((Map<?, ?>) Objects.requireNonNull(Json.parse(out, SCRIPT)))
        .forEach((what, runs) -> times.put(String.valueOf(what), numbers((List<?>) runs)));
    return times;
  }

  private static double[] numbers(List<?> list) {
    return list.stream().mapToDouble(s -> ((Number) s).doubleValue()).toArray();
  }
}
