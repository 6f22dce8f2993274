package org.peft4j.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.AtomicFiles;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What graphs cost in time, beside those of other exporters. */
@Command(
    name = "onnx",
    description =
        "Time graphs in ONNX Runtime: MiniLM, and a language model with its cache; beside graphs of"
            + " other exporters, runs alternating.",
    mixinStandardHelpOptions = true)
final class OnnxBenchCommand implements Callable<Integer> {
  @Option(
      names = "--model",
      paramLabel = "X",
      description = "A language model to time; without, MiniLM alone.")
  private @Nullable String model;

  @Option(
      names = "--against",
      paramLabel = "DIR",
      description =
          "encoder.onnx and decoder.onnx of another exporter, of the same shapes and names of"
              + " inputs and outputs.")
  private @Nullable Path against;

  @Option(
      names = "--past",
      defaultValue = "1024",
      description = "Tokens read before steps are timed; default ${DEFAULT-VALUE}.")
  private int past;

  @Option(
      names = "--runs",
      defaultValue = "30",
      description = "Timed runs of each, alternating; default ${DEFAULT-VALUE}.")
  private int runs;

  @Option(
      names = "--threads",
      defaultValue = "2",
      description = "Threads of each graph; default ${DEFAULT-VALUE}.")
  private int threads;

  @Override
  public Integer call() throws IOException {
    Alternating timings = new Alternating(runs);
    Path folder = Files.createTempDirectory("peft4j-bench");
    try {
      if (model != null) { // first, so that what it adds to the memory can be seen
        new DecoderBench(folder, model, against, past, threads).run(timings);
      }
      new EncoderBench(folder, against, threads).run(timings);
    } finally {
      AtomicFiles.deleteTree(folder);
    }
    System.out.printf(Locale.ROOT, "medians of %d alternating runs, %d threads%n", runs, threads);
    System.out.println(timings);
    return 0;
  }
}
