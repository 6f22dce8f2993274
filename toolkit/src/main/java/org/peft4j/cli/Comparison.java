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
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.data.Data;
import org.peft4j.data.Examples;
import org.peft4j.data.Splits;
import org.peft4j.format.AtomicFiles;
import org.peft4j.format.Json;
import org.peft4j.model.Pooling;
import org.peft4j.model.Pretrained;
import org.peft4j.notebook.Progress;
import org.peft4j.spi.Method;
import org.peft4j.spi.Placement;
import org.peft4j.train.Diverged;
import org.peft4j.train.Fit;

/**
 * Methods at their defaults on one real task: tell WordNet's noun supersenses apart by their
 * glosses with MiniLM. All have the same rows, batches, steps and head; each has the learning rate
 * of the grid that is best on the validation rows with the first seed. What has been measured is
 * kept in a file, so that a comparison can be stopped and gone on with.
 */
final class Comparison {
  static final double[] RATES = {3e-4, 1e-3, 3e-3, 1e-2, 3e-2};
  private static final int MOST_VALIDATION = 1_000;
  private static final int BATCH = 16;
  private static final long SPLIT_SEED = 7;
  private static final String BASELINE = "frozen features";

  /** How much of it. */
  record Size(int train, int test, double epochs, int seeds) {
    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "%,d training and %,d held-out glosses, %s epochs in batches of %d, %d seeds",
          train,
          test,
          epochs,
          BATCH,
          seeds);
    }
  }

  /**
   * One line of the table.
   *
   * @param rate learning rate, NaN for the baseline
   * @param accuracy on the held-out rows, by seed
   * @param secondsPerStep NaN for the baseline
   * @param peakMiB largest resident memory of a process that trains it, NaN where not known
   */
  record Line(
      String method,
      long trainable,
      double rate,
      Spread accuracy,
      double secondsPerStep,
      double peakMiB) {}

  private final Size size;
  private final Path file;
  private final Map<String, Line> lines = new LinkedHashMap<>();
  private final Splits data = Data.wordnet().split(SPLIT_SEED);
  private final Pretrained embedder = Models.load("minilm").withDropout(0);

  /** Goes on with what {@code file} holds of the same size. */
  Comparison(Size size, Path file) throws IOException {
    this.size = size;
    this.file = file;
    if (Files.exists(file)) {
      for (String text : Files.readAllLines(file, StandardCharsets.UTF_8)) {
        if (Json.parse(text, file.toString()) instanceof Map<?, ?> map
            && size.toString().equals(map.get("size"))) {
          Line line = read(map);
          lines.put(line.method(), line);
        }
      }
    }
  }

  List<Line> lines() {
    return List.copyOf(lines.values());
  }

  Line baseline() throws IOException {
    Line known = lines.get(BASELINE);
    if (known != null) {
      return known;
    }
    List<Double> accuracy = new ArrayList<>();
    long trainable = 0;
    for (int seed = 0; seed < size.seeds; seed++) {
      FrozenFeatures.Result r =
          FrozenFeatures.of(embedder, train(seed), validation(seed), test(seed));
      accuracy.add(r.accuracy());
      trainable = r.trainable();
    }
    Spread spread = new Spread(accuracy);
    return add(new Line(BASELINE, trainable, Double.NaN, spread, Double.NaN, Double.NaN));
  }

  /** Trains a method with every rate and every seed, unless that is known. */
  Line measure(Method method) throws IOException {
    Line known = lines.get(method.name());
    if (known != null) {
      return known;
    }
    double best = -1;
    double rate = RATES[0];
    for (double candidate : RATES) {
      double accuracy = run(method, candidate, 0, validation(0)).accuracy;
      if (accuracy > best) {
        best = accuracy;
        rate = candidate;
      }
    }
    List<Double> accuracy = new ArrayList<>();
    double seconds = Double.MAX_VALUE;
    long trainable = 0;
    for (int seed = 0; seed < size.seeds; seed++) {
      Run run = run(method, rate, seed, test(seed));
      accuracy.add(run.accuracy);
      seconds = Math.min(seconds, run.secondsPerStep);
      trainable = run.trainable;
    }
    double peak = PeakMemory.of("compare", "--peak-of", method.name());
    return add(
        new Line(method.name(), trainable, rate, new Spread(accuracy), seconds, peak / (1 << 20)));
  }

  /** A few steps of a method, for whoever watches the memory of this process. */
  void someSteps(Method method) {
    try (Tuned tuned = attach(method, 0)) {
      tuned.fit(train(0)).maxSteps(10).batchSize(BATCH).learningRate(1e-3).quiet().run();
    }
  }

  private record Run(long trainable, double accuracy, double secondsPerStep) {}

  private Run run(Method method, double rate, int seed, Examples scored) {
    String name = String.format(Locale.ROOT, "%s, rate %s, seed %d", method.name(), rate, seed);
    try (Tuned tuned = attach(method, seed)) {
      Fit fit =
          tuned
              .fit(train(seed))
              .epochs(size.epochs)
              .batchSize(BATCH)
              .learningRate(rate)
              .seed(seed)
              .quiet()
              .listen(new Progress.Training(name))
              .run();
      if (fit.ending() == Fit.Ending.INTERRUPTED) {
        throw new IllegalStateException("interrupted; what was measured before is kept");
      }
      return new Run(
          tuned.trainableParameters(),
          tuned.evaluate(scored).main(),
          fit.seconds() / fit.steps().size());
    } catch (Diverged e) {
      return new Run(0, 0, Double.NaN); // this rate is too high for it
    }
  }

  private Tuned attach(Method method, int seed) {
    Pretrained model = embedder.classify(data.labels(), Pooling.MEAN, seed);
    return Peft.attach(model, method.standard(), Placement.DEFAULT, seed);
  }

  private Examples train(int seed) {
    return data.train().sample(size.train, seed);
  }

  private Examples validation(int seed) {
    return data.validation().sample(Math.min(MOST_VALIDATION, size.train), seed);
  }

  private Examples test(int seed) {
    return data.test().sample(size.test, seed);
  }

  // ---- what is kept

  private Line add(Line line) throws IOException {
    lines.put(line.method(), line);
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
    out.put("size", size.toString());
    out.put("trainable", l.trainable());
    out.put("accuracy", l.accuracy().values());
    put(out, "rate", l.rate());
    put(out, "seconds_per_step", l.secondsPerStep());
    put(out, "peak_mib", l.peakMiB());
    return out;
  }

  private static void put(Map<String, @Nullable Object> map, String key, double value) {
    if (!Double.isNaN(value)) {
      map.put(key, value);
    }
  }

  private static Line read(Map<?, ?> map) {
    List<Double> accuracy = new ArrayList<>();
    if (map.get("accuracy") instanceof List<?> list) {
      list.forEach(v -> accuracy.add(number(v)));
    }
    return new Line(
        String.valueOf(map.get("method")),
        (long) number(map.get("trainable")),
        number(map.get("rate")),
        new Spread(accuracy),
        number(map.get("seconds_per_step")),
        number(map.get("peak_mib")));
  }

  private static double number(@Nullable Object value) {
    return value instanceof Number n ? n.doubleValue() : Double.NaN;
  }
}
