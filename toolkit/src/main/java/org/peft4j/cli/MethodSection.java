package org.peft4j.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.peft4j.adapter.Methods;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Method;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;

/**
 * A method and where it is attached: {@code name}, {@code targets}, {@code exclude}, {@code
 * layers}, {@code modules_to_save}, {@code bias}, and the method's own options under the names of
 * {@code adapter_config.json}, with rank, alpha and dropout for short.
 */
record MethodSection(Reparam method, Placement placement) {
  /** An option that has no default that anybody means. */
  private static final String TOKENS = "token_indices";

  private static final Map<String, List<String>> SHORT =
      Map.of(
          "rank", List.of("r"),
          "alpha", List.of("alpha", "lora_alpha", "randlora_alpha"),
          "dropout",
              List.of(
                  "lora_dropout",
                  "vera_dropout",
                  "pvera_dropout",
                  "hira_dropout",
                  "miss_dropout",
                  "vblora_dropout",
                  "randlora_dropout",
                  "gralora_dropout",
                  "deft_dropout"));

  static MethodSection of(Section section) {
    Map<String, @Nullable Object> options = new LinkedHashMap<>(section.all());
    Object name = options.remove("name");
    Method entry = Methods.byName(name == null ? "lora" : String.valueOf(name));
    Section place = Section.of("method", options);
    Placement placement = placement(place);
    PLACES.forEach(options::remove);
    Map<String, @Nullable Object> config = new LinkedHashMap<>();
    entry.standard().toConfig().forEach((k, v) -> config.put(k, v == Entries.NULL ? null : v));
    Set<String> known = new LinkedHashSet<>(config.keySet());
    SHORT.forEach(
        (s, names) -> {
          if (names.stream().anyMatch(config::containsKey)) {
            known.add(s);
          }
        });
    List<String> unknown = new ArrayList<>();
    options.forEach(
        (key, value) -> {
          if (known.contains(key)) {
            SHORT.getOrDefault(key, List.of(key)).stream()
                .filter(config::containsKey)
                .forEach(k -> config.put(k, value));
          } else {
            Set<String> all = new TreeSet<>(known);
            all.addAll(PLACES);
            all.add("name");
            unknown.add(Section.unknown("method." + key, key, all));
          }
        });
    if (config.containsKey(TOKENS) && !options.containsKey(TOKENS)) {
      throw new IllegalArgumentException(
          "method." + TOKENS + "\nexpected: the ids of the tokens to train\nfound: nothing");
    }
    if (!unknown.isEmpty()) {
      throw new IllegalArgumentException(String.join("\n", unknown));
    }
    config.values().removeIf(v -> v == null);
    return new MethodSection(entry.read().apply(new Entries("method", config)), placement);
  }

  private static final List<String> PLACES =
      List.of("targets", "exclude", "layers", "modules_to_save", "bias");

  private static Placement placement(Section place) {
    Set<Integer> layers = new LinkedHashSet<>();
    Object listed = place.all().get("layers");
    for (Object o :
        listed == null ? List.of() : listed instanceof List<?> l ? l : List.of(listed)) {
      if (!(o instanceof Integer i)) {
        throw place.wrong("layers", "a list of numbers", listed);
      }
      layers.add(i);
    }
    return Placement.DEFAULT
        .withTargets(place.texts("targets"))
        .withExclude(place.texts("exclude"))
        .withLayers(layers)
        .withModulesToSave(place.texts("modules_to_save"))
        .withBias(Placement.Bias.of(place.text("bias", "none")));
  }
}
