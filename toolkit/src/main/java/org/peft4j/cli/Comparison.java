package org.peft4j.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.adapter.Methods;
import org.peft4j.data.Examples;
import org.peft4j.format.AtomicFiles;
import org.peft4j.format.Json;
import org.peft4j.model.Pooling;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.Alora;
import org.peft4j.spi.Method;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;

/**
 * Methods at their defaults on one real task: tell WordNet's noun supersenses apart by their
 * glosses with MiniLM. All have the same rows, batches, steps and head; each has the learning rate
 * of the grid that is best on the validation rows with the first seed. Methods that this task does
 * not show have a small one of their own. What has been measured is kept in a file, so that a
 * comparison can be stopped and gone on with.
 */
final class Comparison {
  static final double[] RATES = {3e-4, 1e-3, 3e-3, 1e-2, 3e-2};
  private static final int MOST_VALIDATION = 1_000;
  private static final String BASELINE = "frozen features";

  /** How much of it. */
  record Size(int train, int test, double epochs, int seeds) {
    int validation() {
      return Math.min(MOST_VALIDATION, train);
    }

    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "%,d training and %,d held-out glosses, %s epochs in batches of %d, %d seeds",
          train,
          test,
          epochs,
          ComparedData.BATCH,
          seeds);
    }
  }

  /** One training run: how many parameters it trained, and the share of right answers. */
  record Run(long trainable, double accuracy) {}

  /**
   * One line of the table.
   *
   * @param task empty for the task that all have in common
   * @param rate learning rate, NaN for the baseline
   * @param without accuracy without the method, by seed
   * @param accuracy on the held-out rows, by seed
   * @param cost null until it is measured
   */
  record Line(
      String method,
      String task,
      long trainable,
      double rate,
      Spread without,
      Spread accuracy,
      @Nullable Cost cost) {
    String key() {
      return method + ": " + task;
    }

    /** By how many standard errors of the difference this is better than without the method. */
    double errorsAbove() {
      return accuracy.errorsAbove(without);
    }

    Line with(Cost measured) {
      return new Line(method, task, trainable, rate, without, accuracy, measured);
    }
  }

  private final Size size;
  private final Path file;
  private final Map<String, Line> lines = new LinkedHashMap<>();
  private final ComparedData data;

  /** Goes on with what {@code file} holds of the same size. */
  Comparison(Size size, Path file) throws IOException {
    this.size = size;
    this.file = file;
    this.data = ComparedData.of(size);
    if (Files.exists(file)) {
      for (String text : Files.readAllLines(file, StandardCharsets.UTF_8)) {
        if (Json.parse(text, file.toString()) instanceof Map<?, ?> map
            && size.toString().equals(map.get("size"))) {
          Line line = read(map);
          lines.put(line.key(), line);
        }
      }
    }
  }

  /** All lines, the baseline first. */
  List<Line> lines() {
    return List.copyOf(lines.values());
  }

  /** Tasks of their own, for methods that need one. */
  List<OwnTask> ownTasks() {
    return List.of(new LongerTexts(data), new NewWords(data), new TwoTasks(data));
  }

  Line baseline() throws IOException {
    Line known = lines.get(BASELINE + ": ");
    if (known != null) {
      return known;
    }
    List<Double> accuracy = new ArrayList<>();
    long trainable = 0;
    for (int seed = 0; seed < size.seeds; seed++) {
      FrozenFeatures.Result r =
          FrozenFeatures.of(
              data.embedder(), data.train(seed), data.validation(seed), data.test(seed));
      accuracy.add(r.accuracy());
      trainable = r.trainable();
    }
    Spread spread = new Spread(accuracy);
    return add(new Line(BASELINE, "", trainable, Double.NaN, spread, spread, null));
  }

  /** Trains a method with every rate and every seed, unless that is known. */
  Line measure(Method method) throws IOException {
    Line known = lines.get(method.name() + ": ");
    return known != null
        ? known
        : measure(
            method.name(),
            "",
            baseline().accuracy(),
            (rate, seed, heldOut) -> run(method, rate, seed, heldOut));
  }

  /** The same for a task of its own. */
  Line measure(OwnTask task) throws IOException {
    Line known = lines.get(task.method() + ": " + task.description());
    if (known != null) {
      return known;
    }
    List<Double> without = new ArrayList<>();
    for (int seed = 0; seed < size.seeds; seed++) {
      without.add(task.without(seed));
    }
    return measure(task.method(), task.description(), new Spread(without), task::with);
  }

  private interface Trial {
    Run run(double rate, int seed, boolean heldOut) throws IOException;
  }

  private Line measure(String method, String task, Spread without, Trial trial) throws IOException {
    double best = -1;
    double rate = RATES[0];
    for (double candidate : RATES) {
      double accuracy = trial.run(candidate, 0, false).accuracy;
      if (accuracy > best) {
        best = accuracy;
        rate = candidate;
      }
    }
    List<Double> accuracy = new ArrayList<>();
    long trainable = 0;
    for (int seed = 0; seed < size.seeds; seed++) {
      Run run = trial.run(rate, seed, true);
      accuracy.add(run.accuracy);
      trainable = run.trainable;
    }
    return add(new Line(method, task, trainable, rate, without, new Spread(accuracy), null));
  }

  private Run run(Method method, double rate, int seed, boolean heldOut) {
    Examples scored = heldOut ? data.test(seed) : data.validation(seed);
    try (Tuned tuned = attach(method, seed)) {
      return data.fit(
          tuned,
          tuned.fit(data.train(seed)),
          t -> t.evaluate(scored).main(),
          method.name(),
          rate,
          seed);
    }
  }

  private Tuned attach(Method method, int seed) {
    Pretrained model = data.embedder().classify(data.splits().labels(), Pooling.MEAN, seed);
    return Peft.attach(model, standard(method, model), Placement.DEFAULT, seed);
  }

  /** The method's defaults; what a text has to call is called by how every text begins. */
  private static Reparam standard(Method method, Pretrained model) {
    return method.standard() instanceof Alora called
        ? new Alora(called.lora(), List.of((int) model.tokenizer().encode("").ids()[0]))
        : method.standard();
  }

  /** What every line costs, each in a process of its own, one behind the other. */
  void measureCosts() throws IOException {
    for (Line line : lines()) {
      if (line.cost == null && !line.method.equals(BASELINE)) {
        add(line.with(Cost.of("compare", "--cost-of", line.key())));
      }
    }
  }

  /** The few steps of one line that {@link #measureCosts} asks a process for. */
  Cost.Steps someSteps(String key) throws IOException {
    for (OwnTask task : ownTasks()) {
      if (key.equals(task.method() + ": " + task.description())) {
        return task.someSteps();
      }
    }
    try (Tuned tuned = attach(Methods.byName(key.substring(0, key.indexOf(':'))), 0)) {
      return Cost.steps(tuned.fit(data.train(0)).batchSize(ComparedData.BATCH));
    }
  }

  // ---- what is kept

  private Line add(Line line) throws IOException {
    lines.put(line.key(), line);
    StringBuilder text = new StringBuilder();
    for (Line l : lines.values()) {
      text.append(Json.line(written(l))).append('\n');
    }
    AtomicFiles.writeString(file, text);
    return line;
  }

  private Map<String, @Nullable Object> written(Line l) {
    Map<String, @Nullable Object> out = new LinkedHashMap<>();
    out.put("method", l.method());
    out.put("task", l.task());
    out.put("size", size.toString());
    out.put("trainable", l.trainable());
    out.put("without", l.without().values());
    out.put("accuracy", l.accuracy().values());
    put(out, "rate", l.rate());
    if (l.cost() != null) {
      put(out, "seconds_per_step", l.cost().secondsPerStep());
      put(out, "peak_mib", l.cost().peakMiB());
    }
    return out;
  }

  private static void put(Map<String, @Nullable Object> map, String key, double value) {
    if (!Double.isNaN(value)) {
      map.put(key, value);
    }
  }

  private static Line read(Map<?, ?> map) {
    double seconds = number(map.get("seconds_per_step"));
    return new Line(
        String.valueOf(map.get("method")),
        String.valueOf(map.get("task")),
        (long) number(map.get("trainable")),
        number(map.get("rate")),
        spread(map.get("without")),
        spread(map.get("accuracy")),
        Double.isNaN(seconds) ? null : new Cost(seconds, number(map.get("peak_mib"))));
  }

  private static Spread spread(@Nullable Object value) {
    List<Double> values = new ArrayList<>();
    if (value instanceof List<?> list) {
      list.forEach(v -> values.add(number(v)));
    }
    return new Spread(values);
  }

  private static double number(@Nullable Object value) {
    return value instanceof Number n ? n.doubleValue() : Double.NaN;
  }
}
