package org.peft4j.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Gguf;
import org.peft4j.format.Json;
import org.peft4j.format.TensorSource;
import org.peft4j.tensor.Arena;
import org.peft4j.tensor.Seed;
import org.peft4j.text.Tokenizer;

/**
 * Models from where they lie: a Hugging Face directory, a GGUF file, or a name that this project
 * knows.
 */
public final class Loader {
  /** Our own entry in config.json, for what Hugging Face has no words for. */
  static final String OWN = "peft4j";

  private Loader() {}

  /** {@link #path(Path, Dtype)} in float32. */
  public static Pretrained path(Path path) {
    return path(path, Dtype.F32);
  }

  /**
   * Loads a Hugging Face directory, a GGUF file, or a folder without {@code config.json} that holds
   * one GGUF file.
   *
   * @param dtype what matrices are kept as in memory: {@link Dtype#F32} or {@link Dtype#BF16}
   */
  public static Pretrained path(Path path, Dtype dtype) {
    if (Gguf.is(path)) {
      return GgufLoader.load(path, dtype);
    }
    if (Files.isDirectory(path) && !Files.exists(path.resolve("config.json"))) {
      try (Stream<Path> files = Files.list(path)) {
        List<Path> found = files.filter(Gguf::is).toList();
        if (found.size() == 1) {
          return GgufLoader.load(found.get(0), dtype);
        }
      } catch (IOException e) {
        throw new UncheckedIOException(path + ": cannot be read: " + e.getMessage(), e);
      }
    }
    return directory(path, dtype);
  }

  /**
   * Like {@link #path(Path, Dtype)}, for a model that others know by a name of its own.
   *
   * @param published what messages call it, and what adapters give as their base
   */
  public static Pretrained path(Path path, Dtype dtype, String published) {
    return path(path, dtype).published(published);
  }

  /** {@link #directory(Path, Dtype)} in float32. */
  public static Pretrained directory(Path dir) {
    return directory(dir, Dtype.F32);
  }

  /**
   * Loads a Hugging Face directory: {@code config.json}, {@code model.safetensors} (or shards),
   * {@code tokenizer.json} if it is there.
   *
   * @throws IllegalArgumentException that names the file and what is wrong with it
   */
  public static Pretrained directory(Path dir, Dtype dtype) {
    Path configFile = dir.resolve("config.json");
    if (!Files.isDirectory(dir) || !Files.exists(configFile)) {
      throw new IllegalArgumentException(
          dir
              + ": not a model\n"
              + "expected: a folder with config.json and model.safetensors, or a GGUF file\n"
              + "found: "
              + (Files.exists(dir)
                  ? (Files.isDirectory(dir) ? "a folder without config.json" : "a file")
                  : "nothing"));
    }
    try {
      Config config =
          SentencePooling.read(dir, new Config(configFile.toString(), Json.read(configFile)));
      Path tokenizerFile = dir.resolve("tokenizer.json");
      Tokenizer tokenizer = Files.exists(tokenizerFile) ? Tokenizer.load(tokenizerFile) : null;
      Integer longest = SentencePooling.maxLength(dir);
      tokenizer = tokenizer == null || longest == null ? tokenizer : tokenizer.maxLength(longest);
      try (TensorSource weights = TensorSource.open(dir)) {
        return build(dir.getFileName().toString(), config, weights, tokenizer, dtype);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(dir + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /** The names that {@link #meta} knows beside directories. */
  public static List<String> presets() {
    return Presets.names();
  }

  /**
   * Like {@link #meta(String)}, of a configuration that was fetched, under the name of its model.
   */
  public static Pretrained meta(Path directory, String published) {
    return meta(directory.toString()).published(published);
  }

  /**
   * A model without weights, for counting and for looking at its modules; it cannot run.
   *
   * @param nameOrPath one of {@link #presets}, or a directory with a config.json
   */
  public static Pretrained meta(String nameOrPath) {
    Config config = Presets.config(nameOrPath);
    Path file = Path.of(nameOrPath).resolve("config.json");
    if (config == null && Files.exists(file)) {
      try {
        config = new Config(file.toString(), Json.read(file));
      } catch (IOException e) {
        throw new UncheckedIOException(file + ": cannot be read: " + e.getMessage(), e);
      }
    }
    if (config == null) {
      throw new IllegalArgumentException(
          "no model '"
              + nameOrPath
              + "'\nexpected: a directory with a config.json, or one of the names "
              + presets()
              + "\nfound: nothing at "
              + file.toAbsolutePath());
    }
    Architecture architecture = Architectures.of(config);
    Plan plan = plan(config);
    Network network = network(config, architecture, plan, null);
    return pretrained(nameOrPath, config, architecture, plan, network, null, List.of());
  }

  /**
   * A model that has learned nothing yet: the blocks that {@code config} describes, with random
   * weights (matrices and tables normal with deviation 0.02, biases 0, gains 1).
   *
   * @param name what messages call it
   * @param config what a config.json holds
   * @param tokenizer its own, or null where it is given token ids
   */
  public static Pretrained untrained(
      String name, Config config, @Nullable Tokenizer tokenizer, long seed) {
    Architecture architecture = Architectures.of(config);
    Plan plan = plan(config);
    Network network = network(config, architecture, plan, null);
    Arena memory = new Arena();
    Weights.fill(network, memory.manager(), Seed.of(seed));
    return pretrained(name, config, architecture, plan, network, tokenizer, List.of(memory));
  }

  /** The names of models that this project fetches by itself. */
  public static List<String> names() {
    return Embedder.ALL.stream().map(Embedder::name).toList();
  }

  /** {@link #named(String, Dtype)} in float32. */
  public static Pretrained named(String name) {
    return named(name, Dtype.F32);
  }

  /** Loads a model by one of {@link #names}. */
  public static Pretrained named(String name, Dtype dtype) {
    for (Embedder embedder : Embedder.ALL) {
      if (embedder.name().equals(name)) {
        return embedder.load(dtype);
      }
    }
    throw new IllegalArgumentException("no model '" + name + "'\nexpected: one of " + names());
  }

  /**
   * Builds the blocks that {@code config} describes and gives them the weights of {@code source}.
   */
  static Pretrained build(
      String name, Config config, TensorSource source, @Nullable Tokenizer tokenizer, Dtype dtype) {
    if (dtype != Dtype.F32 && dtype != Dtype.BF16) {
      throw new IllegalArgumentException(
          name + ": dtype in memory\nexpected: f32 or bf16\nfound: " + dtype);
    }
    Architecture architecture = Architectures.of(config);
    Plan plan = plan(config);
    Network network = network(config, architecture, plan, source);
    Arena memory = new Arena();
    try {
      ExpertTensors.Names experts = architecture.experts();
      Weights.load(
          network,
          experts == null ? source : new ExpertTensors(source, experts),
          architecture,
          memory.manager(),
          dtype);
    } catch (RuntimeException e) {
      memory.manager().close();
      throw e;
    }
    return pretrained(name, config, architecture, plan, network, tokenizer, List.of(memory));
  }

  private static Pretrained pretrained(
      String name,
      Config config,
      Architecture architecture,
      Plan plan,
      Network network,
      @Nullable Tokenizer tokenizer,
      List<Arena> memory) {
    List<String> labels =
        network.task() == Task.SEQUENCE_CLASSIFICATION
                || network.task() == Task.TOKEN_CLASSIFICATION
                || network.task() == Task.IMAGE_CLASSIFICATION
            ? config.labels()
            : List.of();
    Pretrained.Facts facts =
        new Pretrained.Facts(
            name,
            config,
            architecture,
            network.task(),
            plan.pooling,
            labels,
            List.of(),
            network.outputNames(),
            tokenizer);
    return new Pretrained(facts, network, memory);
  }

  /** Which head, and how it pools. */
  private record Plan(Task task, @Nullable Pooling pooling) {}

  private static Plan plan(Config config) {
    Config own = config.object(OWN);
    if (own != null) {
      String pooling = own.text("pooling", "");
      return new Plan(
          Task.valueOf(own.text("task", Task.FEATURES.name()).toUpperCase(java.util.Locale.ROOT)),
          pooling.isEmpty() ? null : Pooling.valueOf(pooling.toUpperCase(java.util.Locale.ROOT)));
    }
    List<String> classes = config.texts("architectures");
    String kind = classes.isEmpty() ? "Model" : classes.get(0);
    if (kind.endsWith("ForSequenceClassification")) {
      return new Plan(Task.SEQUENCE_CLASSIFICATION, Pooling.OWN);
    }
    if (kind.endsWith("ForImageClassification")) {
      return new Plan(Task.IMAGE_CLASSIFICATION, Pooling.OWN);
    }
    if (kind.endsWith("ForTokenClassification")) {
      return new Plan(Task.TOKEN_CLASSIFICATION, null);
    }
    if (kind.endsWith("ForQuestionAnswering")) {
      return new Plan(Task.QUESTION_ANSWERING, null);
    }
    if (kind.endsWith("ForCausalLM") || kind.endsWith("LMHeadModel")) {
      return new Plan(Task.CAUSAL_LM, null);
    }
    if (kind.endsWith("ForConditionalGeneration")) {
      return new Plan(Task.SEQ2SEQ_LM, null);
    }
    if (kind.endsWith("Model")) {
      return new Plan(Task.FEATURES, null);
    }
    throw new IllegalArgumentException(
        config.source()
            + ": architectures\n"
            + "expected: a name that ends in Model, ForSequenceClassification,"
            + " ForImageClassification, ForTokenClassification, ForQuestionAnswering, ForCausalLM"
            + " or ForConditionalGeneration\n"
            + "found: "
            + kind);
  }

  /** Blocks without values for such a task. */
  static Network network(
      Config config, Architecture architecture, Task task, @Nullable Pooling pooling) {
    return network(config, architecture, new Plan(task, pooling), null);
  }

  private static Network network(
      Config config, Architecture architecture, Plan plan, @Nullable TensorSource source) {
    boolean pooled =
        plan.pooling == Pooling.OWN
            ? architecture.head(plan.task) == null
            : plan.task == Task.FEATURES && plan.pooling == null;
    Body body = architecture.body(config, pooled);
    int hidden = body.hiddenSize();
    Architecture.HeadMaker own = architecture.head(plan.task);
    Head head =
        switch (plan.task) {
          case FEATURES -> plan.pooling == null ? null : new EmbeddingHead(plan.pooling);
          case CAUSAL_LM ->
              new CausalHead(body, config.size("vocab_size"), tied(config, architecture));
          case SEQ2SEQ_LM -> Seq2SeqHead.of(config, body, source);
          case TOKEN_CLASSIFICATION ->
              own != null
                  ? own.make(config, hidden, labels(config))
                  : TokenHead.labels(hidden, labels(config), classifierDropout(config));
          case QUESTION_ANSWERING ->
              own != null ? own.make(config, hidden, 2) : TokenHead.answers(hidden, 0);
          case SEQUENCE_CLASSIFICATION, IMAGE_CLASSIFICATION ->
              classifier(
                  config,
                  architecture,
                  plan.pooling == null ? Pooling.OWN : plan.pooling,
                  hidden,
                  labels(config));
        };
    return new Network(body, head, architecture);
  }

  /**
   * A head that tells labels apart: the architecture's own, or one linear layer on pooled states.
   */
  static Head classifier(
      Config config, Architecture architecture, Pooling pooling, int hidden, int labels) {
    Task task =
        architecture.inputs().contains("pixel_values")
            ? Task.IMAGE_CLASSIFICATION
            : Task.SEQUENCE_CLASSIFICATION;
    Architecture.HeadMaker own = pooling == Pooling.OWN ? architecture.head(task) : null;
    if (own != null) {
      return own.make(config, hidden, labels);
    }
    return new ClassificationHead(hidden, labels, pooling, classifierDropout(config), task);
  }

  /** Whether the scores of a language model are made with its token embeddings. */
  static boolean tied(Config config, Architecture architecture) {
    return config.flag("tie_word_embeddings", architecture.tiedByDefault());
  }

  private static int labels(Config config) {
    List<String> names = config.labels();
    return names.isEmpty() ? config.sizeOr(2, "num_labels") : names.size();
  }

  static double classifierDropout(Config config) {
    return config.probability("classifier_dropout", config.probability("hidden_dropout_prob", 0.1));
  }

  /** The configuration to write for a model, from which {@link #directory} makes the same one. */
  static Map<String, @Nullable Object> configToWrite(Pretrained model) {
    Config config = model.config();
    if (config == null) {
      throw new IllegalStateException(
          "'"
              + model.name()
              + "' has no configuration to write\nfix: save a model that Models.load(...) made");
    }
    Map<String, @Nullable Object> out = new LinkedHashMap<>(config.values());
    if (!model.labels().isEmpty()) {
      Map<String, @Nullable Object> names = new LinkedHashMap<>();
      Map<String, @Nullable Object> indices = new LinkedHashMap<>();
      for (int i = 0; i < model.labels().size(); i++) {
        names.put(String.valueOf(i), model.labels().get(i));
        indices.put(model.labels().get(i), (long) i);
      }
      out.put("id2label", names);
      out.put("label2id", indices);
    }
    Pooling pooling = model.facts().pooling();
    if (pooling == Pooling.OWN && plan(config).task != model.task()) { // it got another head
      out.remove(OWN);
      String given = String.join("", config.texts("architectures"));
      String family =
          config.modelType().equals("gemma3_text")
              ? "Gemma3Text" // Gemma3's own classifier takes images too
              : given.replaceFirst("(For\\w+|LMHeadModel|Model)$", "");
      boolean images = model.task() == Task.IMAGE_CLASSIFICATION;
      String head = images ? "ForImageClassification" : "ForSequenceClassification";
      out.put("architectures", List.of(family + head));
    }
    if (pooling != null && pooling != Pooling.OWN) {
      Map<String, @Nullable Object> own = new LinkedHashMap<>();
      own.put("task", model.task().name().toLowerCase(java.util.Locale.ROOT));
      own.put("pooling", pooling.toString());
      out.put(OWN, own);
    }
    return out;
  }
}
