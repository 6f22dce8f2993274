package org.peft4j.model;

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

  /** Makes an architecture's own classifier of texts. */
  interface Classifier {
    Head make(int hidden, int labels, double dropout);
  }

  private final String modelType;
  private final String prefix;
  private final List<String> inputs;
  private final List<String> usualTargets;
  private final Maker maker;
  private @Nullable Classifier classifier;
  private String classes = "";
  private final Map<String, String> oldNames = new LinkedHashMap<>();

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
  Architecture classifiedBy(Classifier own) {
    classifier = own;
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

  /** Its own classifier of texts; null for a linear layer on pooled states. */
  @Nullable Classifier classifier() {
    return classifier;
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

  /** The name under which today's writers store what {@code name} held. */
  String currentName(String name) {
    for (Map.Entry<String, String> e : oldNames.entrySet()) {
      if (name.endsWith(e.getKey())) {
        return name.substring(0, name.length() - e.getKey().length()) + e.getValue();
      }
    }
    return name;
  }
}
