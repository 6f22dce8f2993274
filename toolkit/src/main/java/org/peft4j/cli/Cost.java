package org.peft4j.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.peft4j.train.Fit;
import org.peft4j.train.RunListener;
import org.peft4j.train.Training;

/**
 * What training costs, measured on a few steps in a process of their own.
 *
 * @param secondsPerStep median
 * @param peakMiB largest resident memory, NaN where the system does not tell
 */
record Cost(double secondsPerStep, double peakMiB) {
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final String SECONDS = "step-seconds ";
  private static final String PEAK = "peak-bytes ";
  private static final int STEPS = 16;
  private static final int WARM_UP = 4;

  /** Steps that were run in this process. */
  record Steps(double medianSeconds) {
    /** Tells {@link Cost#of} about them and about this process. */
    void print() throws IOException {
      System.out.println(SECONDS + medianSeconds);
      if (!Files.exists(STATUS)) {
        return;
      }
      for (String line : Files.readAllLines(STATUS)) {
        if (line.startsWith("VmHWM:")) {
          long kib = Long.parseLong(line.replaceAll("\\D+", ""));
          System.out.println(PEAK + kib * 1024);
        }
      }
    }
  }

  /** Runs a few steps of a training that is ready for them. */
  static Steps steps(Training training) {
    Fit fit = training.maxSteps(STEPS).learningRate(1e-3).quiet().run();
    List<RunListener.Step> done = fit.steps();
    return new Steps(
        Median.of(
            IntStream.range(WARM_UP, done.size())
                .mapToDouble(i -> done.get(i).seconds() - done.get(i - 1).seconds())
                .toArray()));
  }

  /** Runs {@code peft} with these arguments; it must end by {@link Steps#print}. */
  static Cost of(String... arguments) throws IOException {
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
    List<String> lines =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
            .lines()
            .toList();
    double seconds = after(SECONDS, lines);
    if (Double.isNaN(seconds)) {
      throw new IllegalStateException(
          String.format(
              Locale.ROOT, "peft %s did not tell what it costs", String.join(" ", arguments)));
    }
    return new Cost(seconds, after(PEAK, lines) / (1 << 20));
  }

  private static double after(String mark, List<String> lines) {
    return lines.stream()
        .filter(l -> l.startsWith(mark))
        .mapToDouble(l -> Double.parseDouble(l.substring(mark.length())))
        .findFirst()
        .orElse(Double.NaN);
  }
}
