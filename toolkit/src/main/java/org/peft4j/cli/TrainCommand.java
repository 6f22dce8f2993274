package org.peft4j.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.data.Conversations;
import org.peft4j.data.Examples;
import org.peft4j.model.Pretrained;
import org.peft4j.model.Task;
import org.peft4j.train.CausalLanguageModeling;
import org.peft4j.train.Fit;
import org.peft4j.train.Metrics;
import org.peft4j.train.Objective;
import org.peft4j.train.RowFormat;
import org.peft4j.train.Training;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Trains what a file describes. */
@Command(
    name = "train",
    description = {
      "Train what a YAML file describes, and write the adapter.",
      "",
      "model: minilm              # or a Hugging Face directory, a GGUF file, or hub:org/name",
      "method:                    # or adapter: DIR, to train an adapter on",
      "  name: lora",
      "  rank: 8                  # options as adapter_config.json names them",
      "  targets: [q, v]",
      "data:",
      "  train: train.csv         # .csv, .tsv, .jsonl, wordnet or sentences-to-json",
      "  test: test.csv           # or split: SEED",
      "training:",
      "  epochs: 3",
      "  learning_rate: 5e-4",
      "output: my-adapter",
      ""
    },
    mixinStandardHelpOptions = true)
final class TrainCommand implements Callable<Integer> {
  @Option(names = "--config", required = true, paramLabel = "FILE", description = "The YAML file.")
  private Path config = Path.of("");

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Override
  public Integer call() {
    Section file = YamlFile.read(config);
    String name = file.required("model");
    Path output = Path.of(file.required("output"));
    Section training = file.section("training");
    Function<Pretrained, Tuned> attach = attachment(file);
    Section data = file.section("data");
    try (Pretrained model = Models.load(name)) {
      if (model.task() == Task.CAUSAL_LM || model.task() == Task.SEQ2SEQ_LM) {
        language(file, data, training, model, attach, output);
      } else {
        classification(file, data, training, model, attach, output);
      }
    }
    return 0;
  }

  /** How the adapter comes about: a new one, or one that is there. */
  private static Function<Pretrained, Tuned> attachment(Section file) {
    String adapter = file.text("adapter");
    Section section = file.section("method");
    Long seed = file.integer("seed");
    if (adapter != null) {
      if (file.has("method")) {
        throw file.wrong("method", "nothing, beside adapter", "a method");
      }
      return model -> Peft.load(model, adapter);
    }
    MethodSection method = MethodSection.of(section);
    return model ->
        Peft.attach(model, method.method(), method.placement(), seed == null ? 0 : seed);
  }

  private void classification(
      Section file,
      Section data,
      Section training,
      Pretrained model,
      Function<Pretrained, Tuned> attach,
      Path output) {
    DataSection<Examples> rows = DataSection.examples(data);
    boolean labelled = !model.labels().isEmpty() || file.has("adapter");
    Pretrained classifier = labelled ? model : model.classify(rows.train().labels());
    try (Tuned tuned = attach.apply(classifier)) {
      Function<Examples, Examples> fitting = e -> e.withLabels(tuned.model().labels());
      Training run = tuned.fit(fitting.apply(rows.train()));
      Examples validation = rows.validation();
      run = validation == null ? run : run.validate(fitting.apply(validation));
      run = TrainingSection.apply(training, run);
      file.refuseUnknown();
      Fit fit = run.run();
      Examples test = rows.test();
      Metrics metrics = test == null ? null : tuned.evaluate(fitting.apply(test));
      report(tuned, run.objective(), fit, metrics, output);
    }
  }

  private void language(
      Section file,
      Section data,
      Section training,
      Pretrained model,
      Function<Pretrained, Tuned> attach,
      Path output) {
    DataSection<Conversations> rows = DataSection.conversations(data);
    RowFormat[] format = {Models.rowFormat(model)};
    training.ifInteger("max_length", n -> format[0] = format[0].maxLength(n));
    if (training.flag("whole_text", false)) {
      format[0] = format[0].learnWholeText();
    }
    try (Tuned tuned = attach.apply(model)) {
      Training run = tuned.fit(rows.train(), format[0]);
      Conversations validation = rows.validation();
      run = validation == null ? run : run.validate(validation);
      run = TrainingSection.apply(training, run);
      file.refuseUnknown();
      System.err.println(run);
      Fit fit = run.run();
      Conversations test = rows.test();
      Metrics metrics = test == null ? null : tuned.evaluate(test, format[0]);
      report(tuned, run.objective(), fit, metrics, output);
    }
  }

  private void report(
      Tuned tuned, Objective learned, Fit fit, @Nullable Metrics metrics, Path output) {
    tuned.save(output);
    if (!json) {
      System.out.println(tuned + "\n" + fit);
      if (metrics != null) {
        System.out.println("test: " + metrics);
      }
      System.out.println("-> " + output);
      return;
    }
    Map<String, @Nullable Object> line = new LinkedHashMap<>();
    line.put("output", output.toString());
    line.put("method", tuned.method("default").name());
    line.put("trainable", tuned.trainableParameters());
    line.put("rows", (long) learned.rows());
    if (learned instanceof CausalLanguageModeling language) {
      line.put("supervised_tokens", language.supervisedTokens());
      line.put("truncated", (long) language.truncated());
      line.put("left_out", (long) language.leftOut());
    }
    line.put("steps", (long) fit.steps().size());
    line.put("seconds", fit.seconds());
    line.put("ending", fit.ending().name().toLowerCase(Locale.ROOT));
    line.put("losses", fit.steps().stream().map(s -> (Object) s.loss()).toList());
    var validated = fit.lastEvaluation();
    line.put("validation", validated == null ? null : validated.metrics().values());
    line.put("test", metrics == null ? null : metrics.values());
    JsonLine.print(line);
  }
}
