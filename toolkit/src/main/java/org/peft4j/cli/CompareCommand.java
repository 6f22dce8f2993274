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

  @Option(names = "--cost-of", hidden = true)
  private @Nullable String costOf;

  @Override
  public Integer call() throws IOException {
    Comparison.Size size = new Comparison.Size(train, test, epochs, seeds);
    if (costOf != null) {
      new Comparison(size, out.resolve("none")).someSteps(costOf).print();
      return 0;
    }
    Files.createDirectories(out);
    Comparison comparison = new Comparison(size, out.resolve("results.jsonl"));
    System.out.println(row(comparison.baseline()));
    List<OwnTask> own = comparison.ownTasks();
    for (Method m :
        methods.isEmpty() ? Methods.all() : methods.stream().map(Methods::byName).toList()) {
      if (own.stream().noneMatch(t -> t.isInstead() && t.method().equals(m.name()))) {
        System.out.println(row(comparison.measure(m)));
      }
    }
    for (OwnTask task : own) {
      if (methods.isEmpty() || methods.contains(task.method())) {
        System.out.println(task.description() + "\n" + row(comparison.measure(task)));
      }
    }
    comparison.measureCosts();
    AtomicFiles.writeString(out.resolve("table.md"), table(size, comparison.lines()));
    System.out.println("table   " + out.resolve("table.md"));
    return 0;
  }

  private String table(Comparison.Size size, List<Comparison.Line> lines) {
    String rates =
        Arrays.stream(Comparison.RATES)
            .mapToObj(Double::toString)
            .collect(Collectors.joining(", "));
    StringBuilder text =
        new StringBuilder("# Methods side by side\n\n")
            .append("MiniLM (all-MiniLM-L6-v2) on WordNet 3.1 glosses, 26 noun supersenses: ")
            .append(size)
            .append(". Every method has its defaults (aLoRA is called by the token that every text")
            .append(" begins with), the same rows, steps and head, and the")
            .append(" learning rate of ")
            .append(rates)
            .append(" that is best on ")
            .append(size.validation())
            .append(" validation glosses with the first seed.\n\n`./peft compare --train ")
            .append(train)
            .append(" --test ")
            .append(test)
            .append(" --epochs ")
            .append(epochs)
            .append(" --seeds ")
            .append(seeds)
            .append(methods.isEmpty() ? "" : " --methods " + String.join(",", methods))
            .append("`, ")
            .append(LocalDate.now(ZoneOffset.UTC))
            .append(", ")
            .append(Torch.threads())
            .append(" threads. Accuracy is the mean of all seeds with its standard deviation;")
            .append(" \"above\" counts standard errors of the difference to the frozen features")
            .append(
                " (mean-pooled, logistic regression). Seconds are of the median step, memory is")
            .append(" the largest resident memory, both of a process that trains a few steps.\n\n");
    append(text, lines.stream().filter(l -> l.task().isEmpty()).toList());
    List<Comparison.Line> own = lines.stream().filter(l -> !l.task().isEmpty()).toList();
    if (!own.isEmpty()) {
      text.append("\nTasks of their own, with the same number of rows:\n\n");
      own.forEach(
          l ->
              text.append("- ")
                  .append(l.method())
                  .append(", ")
                  .append(l.task())
                  .append(": without it ")
                  .append(l.without().percent())
                  .append(".\n"));
      text.append('\n');
      append(text, own);
    }
    return text.toString();
  }

  private static void append(StringBuilder text, List<Comparison.Line> lines) {
    text.append("| method | trainable | learning rate | held-out accuracy | above | s per step |")
        .append(" peak memory |\n|---|---:|---:|---:|---:|---:|---:|\n");
    lines.forEach(l -> text.append(row(l)).append('\n'));
  }

  private static String row(Comparison.Line line) {
    boolean trained = !Double.isNaN(line.rate());
    Cost cost = line.cost();
    return String.format(
        Locale.ROOT,
        "| %s | %,d | %s | %s | %s | %s | %s |",
        line.method(),
        line.trainable(),
        trained ? Double.toString(line.rate()) : "",
        line.accuracy().percent(),
        trained ? String.format(Locale.ROOT, "%.1f", line.errorsAbove()) : "",
        cost == null ? "" : String.format(Locale.ROOT, "%.3f", cost.secondsPerStep()),
        cost == null || Double.isNaN(cost.peakMiB())
            ? ""
            : String.format(Locale.ROOT, "%,.0f MiB", cost.peakMiB()));
  }
}
