package org.peft4j.train;

import java.nio.file.Path;
import java.util.ServiceLoader;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.peft4j.adapter.PeftModel;
import org.peft4j.data.Conversations;
import org.peft4j.data.Examples;

/**
 * A training run about to begin, as a value: every call returns a new one, {@link #run} runs it.
 * Listeners that the {@link ServiceLoader} finds (the progress line, a notebook's live chart) hear
 * of every run that is not {@link #quiet}.
 */
public final class Training {
  private final PeftModel model;
  private final Objective objective;
  private final Objectives objectives;
  private final @Nullable Objective validation;
  private final Settings settings;
  private final boolean quiet;

  private Training(
      PeftModel model,
      Objective objective,
      Objectives objectives,
      @Nullable Objective validation,
      Settings settings,
      boolean quiet) {
    this.model = model;
    this.objective = objective;
    this.objectives = objectives;
    this.validation = validation;
    this.settings = settings;
    this.quiet = quiet;
  }

  /** What is learned from rows of either kind, for validation. */
  private record Objectives(
      Function<Examples, Objective> ofExamples, Function<Conversations, Objective> ofRows) {
    static final Objectives NONE = new Objectives(Objectives::refuse, Objectives::refuse);

    private static Objective refuse(Object rows) {
      throw new IllegalArgumentException(
          "validate: give rows of the same kind as the training data, or an Objective");
    }
  }

  /** A run over {@code rows}; {@code objectives} makes of rows what is learned from them. */
  public static Training of(
      PeftModel model, Examples rows, Function<Examples, Objective> objectives) {
    Objectives makers = new Objectives(objectives, Objectives::refuse);
    return new Training(model, objectives.apply(rows), makers, null, Settings.DEFAULT, false);
  }

  /**
   * A run over {@code rows}; {@code objectives} makes of rows what is learned from them. Batches
   * are of 8 rows by default.
   */
  public static Training of(
      PeftModel model, Conversations rows, Function<Conversations, Objective> objectives) {
    Objectives makers = new Objectives(Objectives::refuse, objectives);
    Settings settings = Settings.DEFAULT.change(d -> d.batchSize = 8);
    return new Training(model, objectives.apply(rows), makers, null, settings, false);
  }

  /** A run over an objective of the caller's own. */
  public static Training of(PeftModel model, Objective objective) {
    return new Training(model, objective, Objectives.NONE, null, Settings.DEFAULT, false);
  }

  private Training with(Consumer<Settings.Draft> changes) {
    return new Training(model, objective, objectives, validation, settings.change(changes), quiet);
  }

  /** Times the rows are gone through; fractions allowed. Default 3. */
  public Training epochs(double n) {
    return with(d -> d.epochs = n);
  }

  /** Updates after which the run ends at the latest. Default no limit. */
  public Training maxSteps(long n) {
    return with(d -> d.maxSteps = n);
  }

  /** Rows per forward pass. Default 32. */
  public Training batchSize(int n) {
    return with(d -> d.batchSize = n);
  }

  /** Forward passes per update, for batches larger than memory. Default 1. */
  public Training accumulate(int n) {
    return with(d -> d.accumulate = n);
  }

  /** Highest learning rate. Default 2e-4. */
  public Training learningRate(double rate) {
    return with(d -> d.learningRate = rate);
  }

  /** How the learning rate goes after the warm-up. Default {@link Schedule#COSINE}. */
  public Training schedule(Schedule schedule) {
    return with(d -> d.schedule = schedule);
  }

  /** Share of the updates in which the learning rate rises. Default 0.06. */
  public Training warmup(double share) {
    return with(d -> d.warmup = share);
  }

  /** AdamW's weight decay, for matrices only. Default 0.01. */
  public Training weightDecay(double decay) {
    return with(d -> d.weightDecay = decay);
  }

  /**
   * AdamW's weight decay, for the parameters whose names ({@code adapter:path.tensor}) {@code
   * decays} accepts.
   */
  public Training weightDecay(double decay, Predicate<String> decays) {
    return with(
        d -> {
          d.weightDecay = decay;
          d.decays = decays;
        });
  }

  /** AdamW's decay rates of the moments. Default 0.9 and 0.999. */
  public Training betas(double beta1, double beta2) {
    return with(
        d -> {
          d.beta1 = beta1;
          d.beta2 = beta2;
        });
  }

  /** Largest norm of all gradients together; 0 for no limit. Default 1. */
  public Training clip(double norm) {
    return with(d -> d.clip = norm);
  }

  /** Rows to evaluate on, at the end of each epoch unless {@link #evaluateEvery} says otherwise. */
  public Training validate(Examples rows) {
    return validate(objectives.ofExamples().apply(rows));
  }

  /** Rows to evaluate on, see {@link #validate(Examples)}. */
  public Training validate(Conversations rows) {
    return validate(objectives.ofRows().apply(rows));
  }

  /** An objective to evaluate. */
  public Training validate(Objective rows) {
    return new Training(model, objective, objectives, rows, settings, quiet);
  }

  /** Updates between evaluations. */
  public Training evaluateEvery(long steps) {
    return with(d -> d.evaluateEvery = steps);
  }

  /** Stops after this many evaluations without improvement. */
  public Training patience(int evaluations) {
    return with(d -> d.patience = evaluations);
  }

  /** Ends with the best evaluated weights rather than the last. */
  public Training keepBest() {
    return with(d -> d.keepBest = true);
  }

  /**
   * Writes the run's whole state to {@code file} every so many updates; if the file is there, the
   * run goes on from it, to the bit.
   */
  public Training checkpoint(Path file, long everySteps) {
    return with(
        d -> {
          d.checkpoint = file;
          d.checkpointEvery = everySteps;
        });
  }

  /** Takes the rows in their order rather than at random. */
  public Training inOrder() {
    return with(d -> d.shuffle = false);
  }

  /** Seed of the order of the rows. Default 0. */
  public Training seed(long seed) {
    return with(d -> d.seed = seed);
  }

  /** Lets {@code listener} hear of the run. */
  public Training listen(RunListener listener) {
    return with(d -> d.listeners.add(listener));
  }

  /** No progress line and no chart, unless added with {@link #listen}. */
  public Training quiet() {
    return new Training(model, objective, objectives, validation, settings, true);
  }

  /** What is learned. */
  public Objective objective() {
    return objective;
  }

  public Settings settings() {
    return settings;
  }

  /**
   * Trains the model's active adapters. Interrupting the thread ends the run after the current
   * update.
   */
  public Fit run() {
    Settings s = settings;
    if (!quiet) {
      s =
          s.change(
              d ->
                  ServiceLoader.load(RunListener.Provider.class)
                      .forEach(p -> d.listeners.addAll(p.listeners())));
    }
    return new Loop(model, objective, validation, s).run();
  }

  @Override
  public String toString() {
    return "training of "
        + model.activeAdapters()
        + " on "
        + objective.describe()
        + ": "
        + settings.epochs()
        + " epochs, batches of "
        + settings.batchSize()
        + ", learning rate "
        + settings.learningRate()
        + "; .run() starts it";
  }
}
