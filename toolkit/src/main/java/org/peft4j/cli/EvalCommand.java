package org.peft4j.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.Models;
import org.peft4j.Tuned;
import org.peft4j.data.Data;
import org.peft4j.data.Examples;
import org.peft4j.model.Pretrained;
import org.peft4j.train.Metrics;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Evaluates a classifier on labelled texts. */
@Command(
    name = "eval",
    description = "Evaluate a classifier on labelled texts.",
    mixinStandardHelpOptions = true)
final class EvalCommand implements Callable<Integer> {
  @Mixin private ModelOptions options = new ModelOptions();

  @Option(
      names = "--data",
      required = true,
      paramLabel = "FILE",
      description = "A .csv or .jsonl file, or wordnet (its held-out part).")
  private String data = "";

  @Option(
      names = "--text",
      defaultValue = "text",
      paramLabel = "NAME",
      description = "Column of the texts; default ${DEFAULT-VALUE}.")
  private String text = "text";

  @Option(
      names = "--label",
      defaultValue = "label",
      paramLabel = "NAME",
      description = "Column of the labels; default ${DEFAULT-VALUE}.")
  private String label = "label";

  @Option(names = "--limit", paramLabel = "N", description = "Only the first N rows.")
  private @Nullable Integer limit;

  @Option(
      names = "--seed",
      defaultValue = "7",
      description = "Seed of WordNet's split; default ${DEFAULT-VALUE}.")
  private long seed;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Override
  public Integer call() {
    Tuned tuned = options.adapter == null ? null : options.tuned();
    Pretrained model = tuned == null ? options.load() : tuned.model();
    if (model.labels().isEmpty()) {
      throw new IllegalArgumentException(
          "--model: '"
              + model.name()
              + "' does not classify\nfix: name a classifier, or an --adapter that brings a head");
    }
    Examples rows = rows().withLabels(model.labels());
    Metrics metrics = tuned == null ? Models.evaluate(model, rows) : tuned.evaluate(rows);
    if (json) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>(metrics.values());
      line.put("rows", (long) metrics.rows());
      JsonLine.print(line);
    } else {
      System.out.println(metrics);
    }
    return 0;
  }

  private Examples rows() {
    Examples all =
        data.equals("wordnet")
            ? Data.wordnet().split(seed).test()
            : data.endsWith(".csv")
                ? Examples.csv(Path.of(data), text, label)
                : Examples.jsonl(Path.of(data), text, label);
    return limit == null ? all : all.take(Math.min(limit, all.size()));
  }
}
