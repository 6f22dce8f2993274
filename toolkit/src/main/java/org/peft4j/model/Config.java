package org.peft4j.model;

import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A model's {@code config.json}, read by key. Where writers disagree on a name, the alternatives
 * are given in order of preference.
 */
public final class Config {
  private final String source;
  private final Map<String, @Nullable Object> values;

  /**
   * Wraps the entries of a configuration file.
   *
   * @param source what messages call the file
   */
  public Config(String source, Map<String, @Nullable Object> values) {
    this.source = source;
    this.values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
  }

  /** All entries, in the order of the file. */
  public Map<String, @Nullable Object> values() {
    return values;
  }

  /** What messages call the file. */
  public String source() {
    return source;
  }

  /** The same with one entry replaced. */
  public Config with(String key, @Nullable Object value) {
    Map<String, @Nullable Object> v = new LinkedHashMap<>(values);
    v.put(key, value);
    return new Config(source, v);
  }

  /** {@code model_type}, such as {@code bert}. */
  public String modelType() {
    return text("model_type", "");
  }

  private @Nullable Object find(String... keys) {
    for (String k : keys) {
      Object v = values.get(k);
      if (v != null) {
        return v;
      }
    }
    return null;
  }

  private IllegalArgumentException wrong(String key, String expected, @Nullable Object found) {
    return new IllegalArgumentException(
        source
            + ": "
            + key
            + "\nexpected: "
            + expected
            + "\nfound: "
            + (found == null ? "nothing" : found));
  }

  /** A size: an integer of at least 1 and below 2^31, required. */
  public int size(String... keys) {
    Object v = find(keys);
    if (v instanceof Number n && n.doubleValue() == n.intValue() && n.intValue() >= 1) {
      return n.intValue();
    }
    throw wrong(keys[0], "a positive integer", v);
  }

  /** A size with a default. */
  public int sizeOr(int otherwise, String... keys) {
    return find(keys) == null ? otherwise : size(keys);
  }

  /** Two sizes, such as height and width, that may be given as one. */
  public Shape pair(String key, int otherwise) {
    Object v = find(key);
    if (!(v instanceof List<?> list)) {
      int size = sizeOr(otherwise, key);
      return new Shape(size, size);
    }
    if (list.size() != 2
        || !list.stream().allMatch(n -> n instanceof Long l && l >= 1 && l <= Integer.MAX_VALUE)) {
      throw wrong(key, "one or two positive integers", v);
    }
    return new Shape(list.stream().mapToLong(n -> (Long) n).toArray());
  }

  /**
   * The token that the decoder of a model with an encoder begins with; padding, or else 0, where
   * none is named.
   */
  public long decoderStart() {
    Object named = values.get("decoder_start_token_id");
    Object pad = values.get("pad_token_id");
    return named instanceof Number n ? n.longValue() : pad instanceof Number p ? p.longValue() : 0;
  }

  public double number(String key, double otherwise) {
    Object v = find(key);
    if (v == null) {
      return otherwise;
    }
    if (v instanceof Number n && Double.isFinite(n.doubleValue())) {
      return n.doubleValue();
    }
    throw wrong(key, "a finite number", v);
  }

  /** A probability in [0, 1). */
  public double probability(String key, double otherwise) {
    double p = number(key, otherwise);
    if (!(p >= 0 && p < 1)) {
      throw wrong(key, "a probability in [0, 1)", p);
    }
    return p;
  }

  public boolean flag(String key, boolean otherwise) {
    Object v = find(key);
    if (v == null) {
      return otherwise;
    }
    if (v instanceof Boolean b) {
      return b;
    }
    throw wrong(key, "true or false", v);
  }

  public String text(String key, String otherwise) {
    Object v = find(key);
    if (v == null) {
      return otherwise;
    }
    if (v instanceof String s) {
      return s;
    }
    throw wrong(key, "a string", v);
  }

  /** A list of strings, empty if missing. */
  public List<String> texts(String key) {
    Object v = find(key);
    List<String> out = new ArrayList<>();
    if (v instanceof List<?> list) {
      list.forEach(o -> out.add(String.valueOf(o)));
    } else if (v != null) {
      throw wrong(key, "a list of strings", v);
    }
    return out;
  }

  /** A list of finite numbers, required. */
  double[] numbers(String key) {
    Object v = find(key);
    if (v instanceof List<?> list
        && list.stream().allMatch(n -> n instanceof Number x && Double.isFinite(x.doubleValue()))) {
      return list.stream().mapToDouble(n -> ((Number) n).doubleValue()).toArray();
    }
    throw wrong(key, "a list of finite numbers", v);
  }

  /** A nested object, or null. */
  public @Nullable Config object(String key) {
    Object v = find(key);
    if (v == null) {
      return null;
    }
    if (v instanceof Map<?, ?> map) {
      Map<String, @Nullable Object> inner = new LinkedHashMap<>();
      map.forEach((k, x) -> inner.put(String.valueOf(k), x));
      return new Config(source + ": " + key, inner);
    }
    throw wrong(key, "an object", v);
  }

  /** Label names by index from {@code id2label}; empty if there are none. */
  public List<String> labels() {
    Config map = object("id2label");
    if (map == null) {
      return List.of();
    }
    List<String> out = new ArrayList<>();
    for (int i = 0; i < map.values().size(); i++) {
      Object name = map.values().get(String.valueOf(i));
      if (name == null) {
        throw wrong(
            "id2label", "names for 0 to " + (map.values().size() - 1), map.values().keySet());
      }
      out.add(name.toString());
    }
    return out;
  }

  /** Requires that one size is a multiple of another. */
  void requireMultiple(String what, int value, String ofWhat, int of) {
    if (value % of != 0) {
      throw wrong(what, "a multiple of " + ofWhat + " " + of, value);
    }
  }
}
