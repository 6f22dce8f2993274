package org.peft4j.train;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * How a run trains.
 *
 * @param epochs times the rows are gone through; more than 0, fractions allowed
 * @param maxSteps updates after which the run ends at the latest; 0 for no limit
 * @param batchSize rows per forward pass
 * @param accumulate forward passes per update
 * @param learningRate highest learning rate
 * @param warmup share of the updates in which the learning rate rises, in [0, 1)
 * @param weightDecay AdamW's
 * @param decays which parameters decay, by name; null for matrices and not vectors (biases, gains,
 *     scales)
 * @param clip largest norm of all gradients together; 0 for no limit
 * @param evaluateEvery updates between evaluations; 0 for the end of each epoch
 * @param patience evaluations without improvement after which the run stops; 0 for never
 * @param keepBest whether the run ends with the best evaluated weights rather than the last
 * @param checkpoint file that the run's whole state is written to, or null
 * @param checkpointEvery updates between checkpoints
 * @param shuffle whether the rows go in random order, anew in each epoch; else in theirs
 * @param seed of the order of the rows
 */
public record Settings(
    double epochs,
    long maxSteps,
    int batchSize,
    int accumulate,
    double learningRate,
    Schedule schedule,
    double warmup,
    double weightDecay,
    @Nullable Predicate<String> decays,
    double beta1,
    double beta2,
    double epsilon,
    double clip,
    long evaluateEvery,
    int patience,
    boolean keepBest,
    @Nullable Path checkpoint,
    long checkpointEvery,
    boolean shuffle,
    long seed,
    List<RunListener> listeners) {

  public Settings {
    require(epochs > 0 && Double.isFinite(epochs), "epochs", "more than 0", epochs);
    require(maxSteps >= 0, "maxSteps", "at least 0", maxSteps);
    require(batchSize >= 1, "batchSize", "at least 1", batchSize);
    require(accumulate >= 1, "accumulate", "at least 1", accumulate);
    require(
        learningRate > 0 && Double.isFinite(learningRate),
        "learningRate",
        "more than 0",
        learningRate);
    require(warmup >= 0 && warmup < 1, "warmup", "a share in [0, 1)", warmup);
    require(
        weightDecay >= 0 && Double.isFinite(weightDecay), "weightDecay", "at least 0", weightDecay);
    require(
        beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1,
        "betas",
        "numbers in [0, 1)",
        beta1 + ", " + beta2);
    require(epsilon > 0, "epsilon", "more than 0", epsilon);
    require(clip >= 0, "clip", "at least 0", clip);
    require(evaluateEvery >= 0, "evaluateEvery", "at least 0", evaluateEvery);
    require(patience >= 0, "patience", "at least 0", patience);
    require(checkpointEvery >= 1, "checkpointEvery", "at least 1", checkpointEvery);
    listeners = List.copyOf(listeners);
  }

  private static void require(boolean holds, String name, String expected, Object found) {
    if (!holds) {
      throw new IllegalArgumentException(name + ": expected " + expected + ", found " + found);
    }
  }

  /** The defaults of {@link Draft}. */
  public static final Settings DEFAULT = new Draft().settings();

  /** These settings with some changed. */
  public Settings change(Consumer<Draft> changes) {
    Draft d = new Draft(this);
    changes.accept(d);
    return d.settings();
  }

  /** Settings while they are being chosen; its first values are the defaults. */
  public static final class Draft {
    public double epochs = 3;
    public long maxSteps;
    public int batchSize = 32;
    public int accumulate = 1;
    public double learningRate = 2e-4;
    public Schedule schedule = Schedule.COSINE;
    public double warmup = 0.06;
    public double weightDecay = 0.01;
    public @Nullable Predicate<String> decays;
    public double beta1 = 0.9;
    public double beta2 = 0.999;
    public double epsilon = 1e-8;
    public double clip = 1;
    public long evaluateEvery;
    public int patience;
    public boolean keepBest;
    public @Nullable Path checkpoint;
    public long checkpointEvery = 200;
    public boolean shuffle = true;
    public long seed;
    public List<RunListener> listeners = new ArrayList<>();

    Draft() {}

    private Draft(Settings s) {
      epochs = s.epochs;
      maxSteps = s.maxSteps;
      batchSize = s.batchSize;
      accumulate = s.accumulate;
      learningRate = s.learningRate;
      schedule = s.schedule;
      warmup = s.warmup;
      weightDecay = s.weightDecay;
      decays = s.decays;
      beta1 = s.beta1;
      beta2 = s.beta2;
      epsilon = s.epsilon;
      clip = s.clip;
      evaluateEvery = s.evaluateEvery;
      patience = s.patience;
      keepBest = s.keepBest;
      checkpoint = s.checkpoint;
      checkpointEvery = s.checkpointEvery;
      shuffle = s.shuffle;
      seed = s.seed;
      listeners = new ArrayList<>(s.listeners);
    }

    private Settings settings() {
      return new Settings(
          epochs,
          maxSteps,
          batchSize,
          accumulate,
          learningRate,
          schedule,
          warmup,
          weightDecay,
          decays,
          beta1,
          beta2,
          epsilon,
          clip,
          evaluateEvery,
          patience,
          keepBest,
          checkpoint,
          checkpointEvery,
          shuffle,
          seed,
          listeners);
    }
  }
}
