package org.peft4j.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.Models;
import org.peft4j.adapter.Blueprint;
import org.peft4j.adapter.Methods;
import org.peft4j.model.Loader;
import org.peft4j.model.Pretrained;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Method;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Counts what a method would train. */
@Command(
    name = "count",
    description = "Count what a method would train, without training.",
    mixinStandardHelpOptions = true)
final class CountCommand implements Callable<Integer> {
  @Option(
      names = "--model",
      required = true,
      paramLabel = "X",
      description =
          "A Hugging Face directory, a GGUF file, minilm, or a well-known name such as llama-7b;"
              + " weights are read only where sizes are not in a config.json.")
  private String model = "";

  @Option(
      names = "--method",
      defaultValue = "lora",
      description = "lora, adalora, vera or full; default ${DEFAULT-VALUE}.")
  private String method = "lora";

  @Option(names = "--rank", paramLabel = "R", description = "The method's rank; default its own.")
  private @Nullable Integer rank;

  @Option(
      names = "--targets",
      split = ",",
      paramLabel = "NAME",
      description = "Roles or module names, by commas; default the usual ones.")
  private List<String> targets = List.of();

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Override
  public Integer call() {
    boolean sizesAlone =
        Loader.presets().contains(model) || Files.exists(Path.of(model).resolve("config.json"));
    Pretrained m = sizesAlone ? Models.meta(model) : Models.load(model);
    Reparam reparam = configured();
    Blueprint.Count count =
        new Blueprint(m, m.usualTargets(), m.newModules())
            .count(reparam, Placement.DEFAULT.withTargets(targets));
    if (json) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("trainable", count.trainable());
      line.put("total", count.all());
      line.put("sites", (long) count.sites());
      JsonLine.print(line);
    } else {
      System.out.println(method + " (" + reparam.summary() + ") on " + m.name() + ": " + count);
    }
    return 0;
  }

  private Reparam configured() {
    Method entry = Methods.byName(method);
    if (rank == null) {
      return entry.standard();
    }
    Map<String, @Nullable Object> values = new LinkedHashMap<>();
    entry
        .standard()
        .toConfig()
        .forEach(
            (k, v) -> {
              if (v != Entries.NULL) {
                values.put(k, v);
              }
            });
    for (String key : List.of("r", "init_r", "target_r")) {
      if (values.containsKey(key)) {
        values.put(key, rank.longValue());
      }
    }
    return entry.read().apply(new Entries("--rank " + rank, values));
  }
}
