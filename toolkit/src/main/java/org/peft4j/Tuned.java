package org.peft4j;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.peft4j.adapter.Combination;
import org.peft4j.adapter.PeftModel;
import org.peft4j.data.Conversations;
import org.peft4j.data.Examples;
import org.peft4j.format.AtomicFiles;
import org.peft4j.format.Gguf;
import org.peft4j.generate.Generated;
import org.peft4j.generate.Generator;
import org.peft4j.hub.Hub;
import org.peft4j.hub.Push;
import org.peft4j.hub.Pushed;
import org.peft4j.hub.Repository;
import org.peft4j.model.Dtype;
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
   * (Poly, multitask prompt tuning): the first rows are of task 0.
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

  /**
   * The smaller model that an active adapter has beside this one (ShadowPEFT), as a plain model of
   * the same architecture with memory of its own: to be saved, exported and run without this one.
   * Training made it good at the same task by its auxiliary loss.
   *
   * @throws IllegalStateException when no active adapter has one, or it cannot stand alone
   */
  public Pretrained detach() {
    return detachedModel(model);
  }

  /**
   * Writes the adapters in Hugging Face PEFT's format; or, where {@code dir} ends in {@code .gguf},
   * the active one as a file for llama.cpp, in float32.
   *
   * @see #saveGguf
   */
  public void save(Path dir) {
    if (Gguf.named(dir)) {
      saveGguf(dir, Dtype.F32);
      return;
    }
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

  /**
   * Pushes the adapters to the Hugging Face hub, for all to see: in Hugging Face PEFT's format,
   * with a model card that says what they are and how they are loaded in Java and in Python. The
   * repository is made if it is not there. Needs a token that may write, from {@code HF_TOKEN} or
   * {@code hf auth login}.
   *
   * @param name {@code org/name}, or a name alone for one of the token's owner
   */
  public Pushed push(String name) {
    return push(name, Push.publicly());
  }

  /**
   * Like {@link #push(String)}, as {@code how} says: {@code Push.privately()}, to another branch,
   * with figures in the card.
   */
  public Pushed push(String name, Push how) {
    try {
      Path folder = Files.createTempDirectory("peft4j-push");
      try {
        save(folder);
        return Hub.push(folder, name, how);
      } finally {
        AtomicFiles.deleteTree(folder);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(name + ": cannot be pushed: " + e.getMessage(), e);
    }
  }

  @Override
  public Tuned add(String name, Reparam reparam, Placement placement, long seed) {
    super.add(name, reparam, placement, seed);
    return this;
  }

  @Override
  public Tuned load(String name, Path path) {
    super.load(name, path);
    return this;
  }

  /**
   * Like {@link #load(String, Path)}.
   *
   * @param adapter a directory, or {@code hub:org/name} for one of the Hugging Face hub
   */
  public Tuned load(String name, String adapter) {
    return load(name, folder(adapter));
  }

  /** Where an adapter lies, fetched from the hub if it is there. */
  static Path folder(String adapter) {
    return Repository.isNamedBy(adapter)
        ? Hub.adapter(Repository.parse(adapter))
        : Path.of(adapter);
  }

  @Override
  public Tuned combine(String name, Map<String, Double> weights, Combination how) {
    super.combine(name, weights, how);
    return this;
  }

  @Override
  public Tuned route(String name, int topK, double temperature, String... experts) {
    super.route(name, topK, temperature, experts);
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
