package org.peft4j.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.peft4j.adapter.Methods;
import org.peft4j.format.AtomicFiles;
import org.peft4j.spi.Method;
import org.peft4j.tensor.Torch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The methods side by side on real data. */
@Command(
    name = "compare",
    description = {
      "Train methods side by side on WordNet glosses with MiniLM: same rows, steps and head, each"
          + " with its best learning rate of one grid.",
      "Stopped, it goes on where it was."
    },
    mixinStandardHelpOptions = true)
final class CompareCommand implements Callable<Integer> {
  @Option(
      names = "--methods",
      split = ",",
      paramLabel = "NAME",
      description = "Which, by commas; default all.")
  private List<String> methods = List.of();

  @Option(
      names = "--train",
      defaultValue = "2500",
      description = "Glosses to train on; default ${DEFAULT-VALUE}.")
  private int train;

  @Option(
      names = "--test",
      defaultValue = "2000",
      description = "Held-out glosses; default ${DEFAULT-VALUE}.")
  private int test;

  @Option(names = "--epochs", defaultValue = "1", description = "Default ${DEFAULT-VALUE}.")
  private double epochs;

  @Option(names = "--seeds", defaultValue = "3", description = "Default ${DEFAULT-VALUE}.")
  private int seeds;

  @Option(
      names = "--out",
      defaultValue = "peft4j-compare",
      paramLabel = "DIR",
      description = "Where table.md and results.jsonl go; default ${DEFAULT-VALUE}.")
  private Path out = Path.of("peft4j-compare");

  @Option(names = "--peak-of", hidden = true)
  private @Nullable String peakOf;

  @Override
  public Integer call() throws IOException {
    Comparison.Size size = new Comparison.Size(train, test, epochs, seeds);
    if (peakOf != null) {
      Path none = out.resolve("none");
      new Comparison(size, none).someSteps(Methods.byName(peakOf));
      PeakMemory.print();
      return 0;
    }
    Files.createDirectories(out);
    Comparison comparison = new Comparison(size, out.resolve("results.jsonl"));
    List<Method> chosen =
        methods.isEmpty() ? Methods.all() : methods.stream().map(Methods::byName).toList();
    Comparison.Line baseline = comparison.baseline();
    System.out.println(row(baseline, baseline));
    for (Method m : chosen) {
      try {
        System.out.println(row(comparison.measure(m), baseline));
      } catch (IllegalArgumentException e) {
        if (!methods.isEmpty()) {
          throw e;
        }
        // its defaults do not fit this task, such as tokens that are to be named
        System.out.println(
            m.name() + " is left out: " + String.valueOf(e.getMessage()).replace('\n', ' '));
        continue;
      }
      AtomicFiles.writeString(out.resolve("table.md"), table(size, comparison.lines(), baseline));
    }
    System.out.println("table   " + out.resolve("table.md"));
    return 0;
  }

  private String table(
      Comparison.Size size, List<Comparison.Line> lines, Comparison.Line baseline) {
    String rates =
        Arrays.stream(Comparison.RATES)
            .mapToObj(Double::toString)
            .collect(Collectors.joining(", "));
    return "MiniLM (all-MiniLM-L6-v2) on WordNet 3.1 glosses, 26 noun supersenses: "
        + size
        + ". Every method has its defaults, the same rows, steps and head, and the learning rate of "
        + rates
        + " that is best on up to 1,000 validation glosses with the first seed.\n\n"
        + "`./peft compare --train "
        + train
        + " --test "
        + test
        + " --epochs "
        + epochs
        + " --seeds "
        + seeds
        + "`, "
        + LocalDate.now(ZoneOffset.UTC)
        + ", "
        + Torch.threads()
        + " threads. Seconds are of one step of the fastest seed; memory is the largest resident"
        + " memory of a process that trains ten steps; \"above\" counts standard errors of the"
        + " difference to the baseline.\n\n"
        + "| method | trainable | learning rate | held-out accuracy | above frozen | s per step |"
        + " peak memory |\n|---|---:|---:|---:|---:|---:|---:|\n"
        + lines.stream().map(l -> row(l, baseline) + "\n").collect(Collectors.joining());
  }

  private static String row(Comparison.Line line, Comparison.Line baseline) {
    boolean trained = !Double.isNaN(line.rate());
    return String.format(
        Locale.ROOT,
        "| %s | %,d | %s | %s | %s | %s | %s |",
        line.method(),
        line.trainable(),
        trained ? Double.toString(line.rate()) : "",
        line.accuracy().percent(),
        trained
            ? String.format(Locale.ROOT, "%.1f", line.accuracy().errorsAbove(baseline.accuracy()))
            : "",
        trained ? String.format(Locale.ROOT, "%.3f", line.secondsPerStep()) : "",
        Double.isNaN(line.peakMiB())
            ? ""
            : String.format(Locale.ROOT, "%,.0f MiB", line.peakMiB()));
  }
}
