package org.peft4j.cli;

import com.github.freva.asciitable.AsciiTable;
import com.github.freva.asciitable.Column;
import com.github.freva.asciitable.HorizontalAlign;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.Tuned;
import org.peft4j.adapter.Blueprint;
import org.peft4j.model.Pretrained;
import org.peft4j.spi.Site;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Says what a model or an adapter is. */
@Command(
    name = "info",
    description = "Say what a model or an adapter is, and where it could be adapted.",
    mixinStandardHelpOptions = true)
final class InfoCommand implements Callable<Integer> {
  @Mixin private ModelOptions options = new ModelOptions();

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Option(names = "--tree", description = "Print all modules as a tree.")
  private boolean tree;

  @Override
  public Integer call() {
    if (tree && json) {
      throw new IllegalArgumentException("--tree: expected without --json");
    }
    Tuned tuned = options.adapter == null ? null : options.tuned();
    Pretrained model = tuned == null ? options.load() : tuned.model();
    if (tree) {
      System.out.println(tuned == null ? model.describe() : tuned.describe());
      return 0;
    }
    List<Site> sites =
        (tuned == null
                ? new Blueprint(model, model.usualTargets(), model.newModules())
                : tuned.blueprint())
            .sites();
    if (json) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("model", model.name());
      line.put("model_type", model.config() == null ? null : model.config().modelType());
      line.put("task", model.task().name().toLowerCase(Locale.ROOT));
      line.put("labels", model.labels());
      line.put("parameters", model.parameters());
      if (tuned != null) {
        line.put("adapter", tuned.method("default").name());
        line.put("trainable", tuned.trainableParameters());
      }
      line.put("sites", sites.stream().map(Site::path).toList());
      JsonLine.print(line);
      return 0;
    }
    System.out.println(model);
    if (tuned != null) {
      System.out.println(tuned);
    }
    if (!model.labels().isEmpty()) {
      System.out.println("labels: " + String.join(", ", model.labels()));
    }
    System.out.println(table(sites));
    return 0;
  }

  /** Sites that differ in their layer only, as one row. */
  private static String table(List<Site> sites) {
    Map<String, int[]> counts = new LinkedHashMap<>();
    Map<String, Site> first = new LinkedHashMap<>();
    for (Site s : sites) {
      String path = s.path().replaceAll("\\.\\d+\\.", ".*.");
      counts.computeIfAbsent(path, k -> new int[1])[0]++;
      first.putIfAbsent(path, s);
    }
    List<Map.Entry<String, Site>> rows = List.copyOf(first.entrySet());
    return AsciiTable.getTable(
        AsciiTable.NO_BORDERS,
        rows,
        List.of(
            new Column()
                .header("module")
                .dataAlign(HorizontalAlign.LEFT)
                .headerAlign(HorizontalAlign.LEFT)
                .maxWidth(90)
                .with(Map.Entry::getKey),
            new Column()
                .header("role")
                .with(e -> e.getValue().role() == null ? "" : e.getValue().role()),
            new Column()
                .header("kind")
                .dataAlign(HorizontalAlign.LEFT)
                .with(e -> e.getValue().kind().toString().toLowerCase(Locale.ROOT)),
            new Column().header("shape").with(e -> e.getValue().shape().toString()),
            new Column()
                .header("times")
                .with(
                    e -> {
                      int[] n = counts.get(e.getKey());
                      return n == null ? "" : String.valueOf(n[0]);
                    })));
  }
}
