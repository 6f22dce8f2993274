package org.peft4j.spi;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Where a method is attached, common to all methods.
 *
 * @param targets roles ({@code q k v o gate up down fc1 fc2 embed head all-linear}), module names,
 *     name suffixes or {@code regex:...}; empty means the usual ones of the architecture
 * @param exclude the same kinds of entries; checked first
 * @param layers indices of the layers to adapt; empty means all
 * @param modulesToSave modules trained as a whole and saved with the adapter, such as a new head
 * @param bias which biases are trained beside the method
 * @param tokens of which tokens embeddings are trained beside the method, by module
 */
public record Placement(
    List<String> targets,
    List<String> exclude,
    Set<Integer> layers,
    List<String> modulesToSave,
    Bias bias,
    Map<String, List<Integer>> tokens) {
  public static final Placement DEFAULT =
      new Placement(List.of(), List.of(), Set.of(), List.of(), Bias.NONE, Map.of());

  public Placement {
    targets = List.copyOf(targets);
    exclude = List.copyOf(exclude);
    layers = Set.copyOf(layers);
    modulesToSave = List.copyOf(modulesToSave);
    tokens = Map.copyOf(tokens);
    for (int layer : layers) {
      if (layer < 0) {
        throw new IllegalArgumentException("layers: expected indices from 0, found " + layer);
      }
    }
  }

  /** Which biases are trained. */
  public enum Bias {
    NONE,
    /** Those of every site of the model. */
    ALL,
    /** Those of the adapted sites. */
    LORA_ONLY;

    /** As {@code adapter_config.json} writes it. */
    public String text() {
      return name().toLowerCase(Locale.ROOT);
    }

    /** Reads {@code none}, {@code all} or {@code lora_only}. */
    public static Bias of(String text) {
      for (Bias b : values()) {
        if (b.text().equals(text) || (b == LORA_ONLY && text.endsWith("_only"))) {
          return b;
        }
      }
      throw new IllegalArgumentException(
          "bias: expected none, all or lora_only, found '" + text + "'");
    }
  }

  public Placement withTargets(List<String> t) {
    return new Placement(t, exclude, layers, modulesToSave, bias, tokens);
  }

  public Placement withExclude(List<String> e) {
    return new Placement(targets, e, layers, modulesToSave, bias, tokens);
  }

  public Placement withLayers(Set<Integer> l) {
    return new Placement(targets, exclude, l, modulesToSave, bias, tokens);
  }

  public Placement withModulesToSave(List<String> m) {
    return new Placement(targets, exclude, layers, m, bias, tokens);
  }

  public Placement withBias(Bias b) {
    return new Placement(targets, exclude, layers, modulesToSave, b, tokens);
  }

  public Placement withTokens(Map<String, List<Integer>> t) {
    return new Placement(targets, exclude, layers, modulesToSave, bias, t);
  }
}
