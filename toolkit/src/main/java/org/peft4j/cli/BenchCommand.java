package org.peft4j.cli;

import com.github.freva.asciitable.AsciiTable;
import com.github.freva.asciitable.Column;
import com.github.freva.asciitable.HorizontalAlign;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.peft4j.adapter.Methods;
import org.peft4j.notebook.Progress;
import org.peft4j.quant.Storages;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Method;
import org.peft4j.tensor.Torch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What methods cost in time. */
@Command(
    name = "bench",
    description =
        "Time a forward and backward pass of one adapted projection against the frozen projection;"
            + " or graphs, by bench onnx; or a model, by bench load and bench decode.",
    subcommands = {OnnxBenchCommand.class, LoadBenchCommand.class, DecodeBenchCommand.class},
    mixinStandardHelpOptions = true)
final class BenchCommand implements Callable<Integer> {
  @Option(
      names = "--methods",
      split = ",",
      paramLabel = "NAME",
      description = "Which, by commas; default all that act on linear maps, at their defaults.")
  private List<String> methods = List.of();

  @Option(
      names = "--size",
      defaultValue = "2048",
      description = "Rows and columns of the weight; default ${DEFAULT-VALUE}.")
  private int size;

  @Option(
      names = "--tokens",
      defaultValue = "512",
      description = "Tokens of the input; default ${DEFAULT-VALUE}.")
  private int tokens;

  @Option(
      names = "--runs",
      defaultValue = "30",
      description = "Timed runs of each, alternating; default ${DEFAULT-VALUE}.")
  private int runs;

  @Option(
      names = "--storage",
      defaultValue = "f32",
      description = "How the adapted weight is kept, f32 or nf4; default ${DEFAULT-VALUE}.")
  private String storage = "f32";

  private record Line(String name, ProjectionCost.Result result) {}

  @Override
  public Integer call() {
    List<Method> chosen =
        methods.isEmpty()
            ? Methods.all().stream()
                .filter(m -> !(m.standard() instanceof Hook))
                .filter(m -> m.standard().kinds().contains(Kind.LINEAR))
                .toList()
            : methods.stream().map(Methods::byName).toList();
    List<Line> lines = new ArrayList<>();
    try (ProjectionCost cost = new ProjectionCost(size, tokens, Storages.byName(storage));
        Progress bar = Progress.of("methods", chosen.size())) {
      int done = 0;
      for (Method m : chosen) {
        try {
          lines.add(new Line(m.name(), cost.measure(m.standard(), runs)));
        } catch (IllegalArgumentException e) {
          if (!methods.isEmpty()) {
            throw e;
          }
          // one projection is not enough for it, such as groups of layers
          System.out.println(
              m.name() + " is left out: " + String.valueOf(e.getMessage()).replace('\n', ' '));
        }
        bar.at(++done);
      }
    }
    System.out.printf(
        Locale.ROOT,
        "forward and backward of a %d x %d projection at %d tokens, %s, %d threads, medians of %d alternating runs%n",
        size,
        size,
        tokens,
        storage,
        Torch.threads(),
        runs);
    System.out.println(
        AsciiTable.getTable(
            AsciiTable.NO_BORDERS,
            lines,
            List.of(
                new Column()
                    .header("method")
                    .headerAlign(HorizontalAlign.LEFT)
                    .dataAlign(HorizontalAlign.LEFT)
                    .with(Line::name),
                new Column()
                    .header("frozen ms")
                    .with(l -> String.format(Locale.ROOT, "%.1f", l.result().frozen())),
                new Column()
                    .header("adapted ms")
                    .with(l -> String.format(Locale.ROOT, "%.1f", l.result().adapted())),
                new Column()
                    .header("ratio")
                    .with(l -> String.format(Locale.ROOT, "%.2f", l.result().ratio())))));
    return 0;
  }
}
