package org.peft4j;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.peft4j.adapter.Combination;
import org.peft4j.adapter.PeftModel;
import org.peft4j.data.Conversations;
import org.peft4j.data.Examples;
import org.peft4j.generate.Generated;
import org.peft4j.generate.Generator;
import org.peft4j.model.Pretrained;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;
import org.peft4j.train.Metrics;
import org.peft4j.train.Multitask;
import org.peft4j.train.Objective;
import org.peft4j.train.Prediction;
import org.peft4j.train.RowFormat;
import org.peft4j.train.Training;

/**
 * An adapted model: what {@code apply()} gives. It holds one or more named adapters, trains the
 * active ones, and is a DJL block like any other. Its base is never changed.
 */
public final class Tuned extends PeftModel {
  private static final int EVALUATION_BATCH = 64;

  private final Pretrained model;

  Tuned(Pretrained model) {
    super(model, model.usualTargets(), model.newModules());
    this.model = model;
  }

  /** The model underneath. */
  public Pretrained model() {
    return model;
  }

  /** A training run over labelled texts, to be completed and started with {@code run()}. */
  public Training fit(Examples rows) {
    return Training.of(this, rows, this::objective);
  }

  /**
   * A training run over conversations, whose assistant's turns are learned, or texts; to be
   * completed and started with {@code run()}.
   */
  public Training fit(Conversations rows) {
    return fit(rows, Models.rowFormat(model));
  }

  /**
   * Like {@link #fit(Conversations)}, with rows cut, written and learned as {@code format} says.
   */
  public Training fit(Conversations rows, RowFormat format) {
    return Training.of(this, rows, r -> Models.objective(model, r, format));
  }

  /**
   * A training run over the labelled texts of several tasks, for methods that tell tasks apart
   * (poly): the first rows are of task 0.
   */
  public Training fit(List<Examples> tasks) {
    return fit(new Multitask(tasks.stream().map(this::objective).toList()));
  }

  /** A training run over an objective of the caller's own. */
  public Training fit(Objective objective) {
    return Training.of(this, objective);
  }

  /** Figures of the model's task on labelled texts. */
  public Metrics evaluate(Examples rows) {
    return objective(rows).evaluate(this, EVALUATION_BATCH);
  }

  /** Perplexity and token accuracy on what would be learned of these. */
  public Metrics evaluate(Conversations rows) {
    return evaluate(rows, Models.rowFormat(model));
  }

  /**
   * Like {@link #evaluate(Conversations)}, with rows written and learned as {@code format} says.
   */
  public Metrics evaluate(Conversations rows, RowFormat format) {
    return Models.objective(model, rows, format).evaluate(this, EVALUATION_BATCH);
  }

  /**
   * The label of each text by the model as it is adapted now.
   *
   * @throws IllegalStateException when it does not classify
   */
  public List<Prediction> predict(String... texts) {
    return Models.predictions(model, this, texts);
  }

  private Objective objective(Examples rows) {
    return Models.objective(model, rows);
  }

  /**
   * Answers a message by the model's chat template, or continues the text where it has none;
   * greedy, at most 256 new tokens.
   *
   * @see #generator()
   */
  public Generated generate(String prompt) {
    Generator g = generator();
    return model.tokenizer().hasChatTemplate() ? g.chat(prompt) : g.complete(prompt);
  }

  /** What continues texts with the active adapters, to be told how. */
  public Generator generator() {
    return Generator.of(this);
  }

  /**
   * A new plain model with the active adapters in its weights. It shares the untouched tensors with
   * the base; this model stays as it is.
   */
  public Pretrained merge() {
    Merged merged = mergedBlock();
    Pretrained base = model;
    return base.with(merged.block(), merged.memory());
  }

  /** Writes the adapters in Hugging Face PEFT's format. */
  public void save(Path dir) {
    String task =
        switch (model.task()) {
          case SEQUENCE_CLASSIFICATION -> "SEQ_CLS";
          case TOKEN_CLASSIFICATION -> "TOKEN_CLS";
          case QUESTION_ANSWERING -> "QUESTION_ANS";
          case CAUSAL_LM -> "CAUSAL_LM";
          case IMAGE_CLASSIFICATION -> null; // Hugging Face has no word for it
          case SEQ2SEQ_LM -> "SEQ_2_SEQ_LM";
          case FEATURES -> model.config() == null ? null : "FEATURE_EXTRACTION";
        };
    save(
        dir,
        model.config() == null ? null : model.config().text("_name_or_path", model.name()),
        task);
    SavedHead.write(dir, model);
  }

  @Override
  public Tuned add(String name, Reparam reparam, Placement placement, long seed) {
    super.add(name, reparam, placement, seed);
    return this;
  }

  @Override
  public Tuned load(String name, Path dir) {
    super.load(name, dir);
    return this;
  }

  @Override
  public Tuned combine(String name, Map<String, Double> weights, Combination how) {
    super.combine(name, weights, how);
    return this;
  }

  @Override
  public Tuned use(String... names) {
    super.use(names);
    return this;
  }

  @Override
  public Tuned task(int... numbers) {
    super.task(numbers);
    return this;
  }

  @Override
  public Tuned disable() {
    super.disable();
    return this;
  }

  @Override
  public Tuned enable() {
    super.enable();
    return this;
  }

  @Override
  public Tuned delete(String name) {
    super.delete(name);
    return this;
  }

  @Override
  public Tuned mergeInPlace() {
    super.mergeInPlace();
    return this;
  }

  @Override
  public Tuned unmerge() {
    super.unmerge();
    return this;
  }
}
