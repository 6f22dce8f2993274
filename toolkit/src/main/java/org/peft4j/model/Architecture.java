package org.peft4j.model;

import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One family of models: how its body is made of a configuration, and what its files call things.
 */
final class Architecture {
  /** Makes a body; {@code pooled} asks for the architecture's own pooling layer, if it has one. */
  interface Maker {
    Body make(Config config, boolean pooled);
  }

  /** Makes an architecture's own head for a task. */
  interface HeadMaker {
    Head make(Config config, int hidden, int labels);
  }

  private final String modelType;
  private final String prefix;
  private final List<String> inputs;
  private final List<String> usualTargets;
  private final Maker maker;
  private final Map<Task, HeadMaker> heads = new EnumMap<>(Task.class);
  private boolean tied;
  private List<String> transposed = List.of();
  private List<String> dropouts = List.of("attention_dropout");
  private String classes = "";
  private final Map<String, String> oldNames = new LinkedHashMap<>();
  private ExpertTensors.@Nullable Names experts;
  private final Map<String, String> fileNames = new LinkedHashMap<>();

  /**
   * Describes a family.
   *
   * @param modelType {@code model_type} in config.json
   * @param prefix name of the body beside a head, such as {@code bert} in {@code bert.encoder...};
   *     empty where its parts stand beside the head
   * @param inputs names of its inputs, in order
   * @param usualTargets what {@code targets} left out means
   * @param oldNames ends of tensor names in old files and what they are now, as {@code old=new}
   */
  Architecture(
      String modelType,
      String prefix,
      List<String> inputs,
      List<String> usualTargets,
      Maker maker,
      String... oldNames) {
    this.modelType = modelType;
    this.prefix = prefix;
    this.inputs = inputs;
    this.usualTargets = usualTargets;
    this.maker = maker;
    for (String pair : oldNames) {
      this.oldNames.put(
          pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1));
    }
  }

  /** The same with a classifier that is more than a linear layer on pooled states. */
  Architecture classifiedBy(HeadMaker own) {
    return headed(Task.SEQUENCE_CLASSIFICATION, own);
  }

  /** The same with a head of its own for a task. */
  Architecture headed(Task task, HeadMaker own) {
    heads.put(task, own);
    return this;
  }

  /** The same for models only whose class, by {@code architectures}, ends in {@code suffix}. */
  Architecture onlyFor(String suffix) {
    classes = suffix;
    return this;
  }

  /** Whether this is what {@code config} describes. */
  boolean fits(Config config) {
    List<String> named = config.texts("architectures");
    return modelType.equals(config.modelType())
        && (classes.isEmpty() || (!named.isEmpty() && named.get(0).endsWith(classes)));
  }

  /** Its own head for a task; null for the usual one. */
  @Nullable HeadMaker head(Task task) {
    return heads.get(task);
  }

  /** The same whose head is tied to the token embeddings unless a configuration denies it. */
  Architecture tied() {
    tied = true;
    return this;
  }

  /** Whether the head is tied where the configuration does not say. */
  boolean tiedByDefault() {
    return tied;
  }

  /**
   * The same whose files hold some matrices as {@code [in, out]}.
   *
   * @param modules last names of the modules whose weights these are
   */
  Architecture transposed(String... modules) {
    transposed = List.of(modules).stream().map(m -> "." + m + ".weight").toList();
    return this;
  }

  /** Whether files hold the matrix of this path as {@code [in, out]}. */
  boolean transposed(String path) {
    return transposed.stream().anyMatch(path::endsWith);
  }

  /** The same whose configurations call the probabilities of its dropout so. */
  Architecture dropouts(String... keys) {
    dropouts = List.of(keys);
    return this;
  }

  /** What configurations call the probabilities of its dropout. */
  List<String> dropouts() {
    return dropouts;
  }

  String modelType() {
    return modelType;
  }

  String prefix() {
    return prefix;
  }

  List<String> usualTargets() {
    return usualTargets;
  }

  /** Names of the inputs, in order. */
  List<String> inputs() {
    return inputs;
  }

  Body body(Config config, boolean pooled) {
    return maker.make(config, pooled);
  }

  /**
   * The same whose files call some modules otherwise than the models do that read them.
   *
   * @param pairs parts of paths, as {@code path=file}
   */
  Architecture filed(String... pairs) {
    for (String pair : pairs) {
      fileNames.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1));
    }
    return this;
  }

  /** The same whose files have tensors of these names for each expert. */
  Architecture expertsFiled(String gate, String up, String down) {
    experts = new ExpertTensors.Names(gate, up, down);
    return this;
  }

  /** What files call the matrices of an expert; null where there are none. */
  ExpertTensors.@Nullable Names experts() {
    return experts;
  }

  /** The name under which files hold the tensor of a path. */
  String fileName(String path) {
    String name = path;
    for (Map.Entry<String, String> e : fileNames.entrySet()) {
      name = name.replace(e.getKey(), e.getValue());
    }
    return name;
  }

  /** The path of what a file, maybe an old one, holds as {@code given}. */
  String currentName(String given) {
    String name = given;
    for (Map.Entry<String, String> e : fileNames.entrySet()) {
      name = name.replace(e.getValue(), e.getKey());
    }
    for (Map.Entry<String, String> e : oldNames.entrySet()) {
      if (name.endsWith(e.getKey())) {
        return name.substring(0, name.length() - e.getKey().length()) + e.getValue();
      }
    }
    return name;
  }
}
