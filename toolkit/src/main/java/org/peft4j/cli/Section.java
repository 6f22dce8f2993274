package org.peft4j.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A mapping of a configuration file, read key by key. It remembers which keys were asked for, so
 * that one that nobody knows is refused by name.
 */
final class Section {
  private final String source;
  private final String path; // "training." or nothing
  private final Map<String, @Nullable Object> values;
  private final Set<String> known = new LinkedHashSet<>();
  private final List<Section> inside = new ArrayList<>();

  private Section(String source, String path, Map<String, @Nullable Object> values) {
    this.source = source;
    this.path = path;
    this.values = values;
  }

  /**
   * The whole file.
   *
   * @param source what messages call it
   */
  static Section of(String source, @Nullable Object document) {
    Section root = new Section(source, "", new LinkedHashMap<>());
    root.values.putAll(root.mapping("", document));
    return root;
  }

  private Map<String, @Nullable Object> mapping(String key, @Nullable Object value) {
    Map<String, @Nullable Object> out = new LinkedHashMap<>();
    if (!(value instanceof Map<?, ?> map)) {
      throw wrong(key, "keys and values", value);
    }
    map.forEach((k, v) -> out.put(String.valueOf(k), v));
    return out;
  }

  private @Nullable Object value(String key) {
    known.add(key);
    return values.get(key);
  }

  IllegalArgumentException wrong(String key, String expected, @Nullable Object found) {
    return new IllegalArgumentException(
        "%s: %s%s\nexpected: %s\nfound: %s"
            .formatted(source, path, key, expected, found == null ? "nothing" : found));
  }

  boolean has(String key) {
    return value(key) != null;
  }

  /** The mapping under a key; empty if it is not there. */
  Section section(String key) {
    Object v = value(key);
    Section s =
        new Section(source, path + key + ".", v == null ? new LinkedHashMap<>() : mapping(key, v));
    inside.add(s);
    return s;
  }

  /** All of the mapping, whose keys the caller checks. */
  Map<String, @Nullable Object> all() {
    known.addAll(values.keySet());
    return values;
  }

  @Nullable String text(String key) {
    Object v = value(key);
    if (v == null || v instanceof String) {
      return (String) v;
    }
    throw wrong(key, "text", v);
  }

  String text(String key, String otherwise) {
    String v = text(key);
    return v == null ? otherwise : v;
  }

  String required(String key) {
    String v = text(key);
    if (v == null) {
      throw wrong(key, "text", null);
    }
    return v;
  }

  @Nullable Path path(String key) {
    String v = text(key);
    return v == null ? null : Path.of(v);
  }

  List<String> texts(String key) {
    Object v = value(key);
    List<String> out = new ArrayList<>();
    for (Object o : v == null ? List.of() : v instanceof List<?> l ? l : List.of(v)) {
      if (!(o instanceof String s)) {
        throw wrong(key, "a list of texts", v);
      }
      out.add(s);
    }
    return out;
  }

  @Nullable Number number(String key) {
    Object v = value(key);
    if (v == null || v instanceof Number) {
      return (Number) v;
    }
    throw wrong(key, "a number", v);
  }

  @Nullable Long integer(String key) {
    Number v = number(key);
    if (v != null && v.doubleValue() != v.longValue()) {
      throw wrong(key, "a whole number", v);
    }
    return v == null ? null : v.longValue();
  }

  boolean flag(String key, boolean otherwise) {
    Object v = value(key);
    if (v == null || v instanceof Boolean) {
      return v == null ? otherwise : (Boolean) v;
    }
    throw wrong(key, "true or false", v);
  }

  /** Hands over the number under a key, if it is there. */
  void ifNumber(String key, Consumer<Double> use) {
    Number v = number(key);
    if (v != null) {
      use.accept(v.doubleValue());
    }
  }

  /** Hands over the whole number under a key, if it is there. */
  void ifInteger(String key, Consumer<Integer> use) {
    Long v = integer(key);
    if (v != null) {
      if (v != v.intValue()) {
        throw wrong(key, "a whole number below 2^31", v);
      }
      use.accept(v.intValue());
    }
  }

  /**
   * Refuses keys that nobody asked for, here and in the mappings inside.
   *
   * @throws IllegalArgumentException that names all of them and the known key nearest to each
   */
  void refuseUnknown() {
    List<String> unknown = new ArrayList<>();
    collectUnknown(unknown);
    if (!unknown.isEmpty()) {
      throw new IllegalArgumentException(source + ": " + String.join("\n", unknown));
    }
  }

  private void collectUnknown(List<String> out) {
    for (String key : values.keySet()) {
      if (!known.contains(key)) {
        out.add(unknown(path + key, key, known));
      }
    }
    inside.forEach(s -> s.collectUnknown(out));
  }

  /** What to say of a key that is not among the known ones. */
  static String unknown(String where, String key, Set<String> known) {
    String nearest =
        known.stream().min(Comparator.comparingInt(k -> distance(k, key))).orElse("nothing");
    return "unknown key '%s'\nexpected: one of %s\nfix: %s"
        .formatted(
            where,
            known.stream().sorted().toList(),
            distance(nearest, key) <= 3 ? "write " + nearest : "leave it out");
  }

  /** Levenshtein's distance. */
  private static int distance(String a, String b) {
    int[] above = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      above[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int[] row = new int[b.length() + 1];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int change = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
        row[j] = Math.min(above[j - 1] + change, 1 + Math.min(above[j], row[j - 1]));
      }
      above = row;
    }
    return above[b.length()];
  }
}
