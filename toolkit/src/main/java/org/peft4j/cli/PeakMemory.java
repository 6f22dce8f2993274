package org.peft4j.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The largest resident memory of a command that runs in a process of its own. */
final class PeakMemory {
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final String MARK = "peak-bytes ";

  private PeakMemory() {}

  /**
   * Runs {@code peft} with these arguments; it must end by {@link #print}.
   *
   * @return bytes, or NaN where the system does not tell
   */
  static double of(String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add("-Djava.awt.headless=true");
    command.add("-Dorg.slf4j.simpleLogger.defaultLogLevel=error");
    command.add(Main.class.getName());
    command.addAll(List.of(arguments));
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    process.getOutputStream().close();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return text.lines()
        .filter(l -> l.startsWith(MARK))
        .mapToDouble(l -> Double.parseDouble(l.substring(MARK.length())))
        .findFirst()
        .orElse(Double.NaN);
  }

  /** Tells {@link #of} about this process. */
  static void print() throws IOException {
    if (!Files.exists(STATUS)) {
      return;
    }
    for (String line : Files.readAllLines(STATUS)) {
      if (line.startsWith("VmHWM:")) {
        long kib = Long.parseLong(line.replaceAll("\\D+", ""));
        System.out.println(MARK + kib * 1024);
      }
    }
  }
}
