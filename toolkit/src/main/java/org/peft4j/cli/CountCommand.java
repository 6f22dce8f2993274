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
import org.peft4j.hub.Repository;
import org.peft4j.model.Loader;
import org.peft4j.model.Pretrained;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Counts what a method would train. */
@Command(
    name = "count",
    description = "Count what a method would train, without training.",
    mixinStandardHelpOptions = true)
final class CountCommand implements Callable<Integer> {
  private static final List<String> RANKS = List.of("r", "init_r", "target_r");

  @Option(
      names = "--model",
      required = true,
      paramLabel = "X",
      description =
          "A Hugging Face directory, a GGUF file, hub:org/name, minilm, or a well-known name such as llama-7b;"
              + " weights are read only where sizes are not in a config.json.")
  private String model = "";

  @Option(
      names = "--method",
      defaultValue = "lora",
      description = "One of ./peft methods; default ${DEFAULT-VALUE}.")
  private String method = "lora";

  @Option(names = "--rank", paramLabel = "R", description = "The method's rank; default its own.")
  private @Nullable Integer rank;

  @Option(
      names = "--targets",
      split = ",",
      paramLabel = "NAME",
      description = "Roles or module names, by commas; default the usual ones.")
  private List<String> targets = List.of();

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "An entry of adapter_config.json, such as num_virtual_tokens=5.")
  private Map<String, String> settings = new LinkedHashMap<>();

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Override
  public Integer call() {
    Pretrained m = sizes(model);
    MethodSection configured = configured();
    Blueprint.Count count =
        new Blueprint(m, m.usualTargets(), m.newModules())
            .count(configured.method(), configured.placement());
    if (json) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("trainable", count.trainable());
      line.put("total", count.all());
      line.put("sites", (long) count.sites());
      JsonLine.print(line);
    } else {
      System.out.println(
          method + " (" + configured.method().summary() + ") on " + m.name() + ": " + count);
    }
    return 0;
  }

  /** A model to count in, without weights where its sizes are known without. */
  static Pretrained sizes(String model) {
    boolean sizesAlone =
        Loader.presets().contains(model)
            || Repository.isNamedBy(model)
            || Files.exists(Path.of(model).resolve("config.json"));
    return sizesAlone ? Models.meta(model) : Models.load(model);
  }

  private MethodSection configured() {
    Map<String, @Nullable Object> options = new LinkedHashMap<>();
    settings.forEach((key, value) -> options.put(key, scalar(value)));
    options.put("name", method);
    if (!targets.isEmpty()) {
      options.put("targets", targets);
    }
    if (rank != null) {
      Map<String, Object> known = Methods.byName(method).standard().toConfig();
      List<String> ranks = RANKS.stream().filter(known::containsKey).toList();
      if (ranks.isEmpty()) {
        throw new IllegalArgumentException(
            "--rank: "
                + method
                + " has none\nfix: leave it out; its options are "
                + known.keySet());
      }
      ranks.forEach(key -> options.put(key, rank.longValue()));
    }
    return MethodSection.of(Section.of("count", options));
  }

  /** A value as a configuration file would have it: a number, true, false, or text. */
  private static Object scalar(String text) {
    if (text.equals("true") || text.equals("false")) {
      return Boolean.valueOf(text);
    }
    try {
      return text.matches("-?\\d+") ? (Object) Integer.valueOf(text) : Double.valueOf(text);
    } catch (NumberFormatException e) {
      return text;
    }
  }
}
