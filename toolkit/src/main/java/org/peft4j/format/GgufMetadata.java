package org.peft4j.format;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The key-value pairs at the head of a GGUF file, in its order, read by the type one needs. */
public final class GgufMetadata {
  private final Path file;
  private final Map<String, GgufValue> values;

  GgufMetadata(Path file, Map<String, GgufValue> values) {
    this.file = file;
    this.values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
  }

  /** All pairs. */
  public Map<String, GgufValue> values() {
    return values;
  }

  public boolean has(String key) {
    return values.containsKey(key);
  }

  /** A string, or null where there is no such key. */
  public @Nullable String text(String key) {
    Object v = scalar(key, "a string");
    if (v == null || v instanceof String) {
      return (String) v;
    }
    throw wrong(key, "a string");
  }

  /** A string that must be there. */
  public String requireText(String key) {
    String v = text(key);
    if (v == null) {
      throw wrong(key, "a string");
    }
    return v;
  }

  /** An integer of any width, or null where there is no such key. */
  public @Nullable Long integer(String key) {
    Object v = scalar(key, "an integer");
    if (v == null || v instanceof Long) {
      return (Long) v;
    }
    throw wrong(key, "an integer");
  }

  /** An integer that must be there. */
  public long requireInteger(String key) {
    Long v = integer(key);
    if (v == null) {
      throw wrong(key, "an integer");
    }
    return v;
  }

  /**
   * An integer that some files give per layer, or null where there is no such key.
   *
   * @throws IllegalArgumentException when it differs between layers
   */
  public @Nullable Long uniform(String key) {
    GgufValue v = values.get(key);
    if (v == null || v.type() != GgufValue.Type.ARRAY) {
      return integer(key);
    }
    Long first = null;
    for (int i = 0; i < v.size(); i++) {
      if (!(v.at(i) instanceof Long n) || (first != null && !first.equals(n))) {
        throw wrong(key, "one integer for all layers");
      }
      first = n;
    }
    return first;
  }

  /** A number, or null where there is no such key. */
  public @Nullable Double number(String key) {
    Object v = scalar(key, "a number");
    if (v == null) {
      return null;
    }
    if (v instanceof Float f) {
      return GgufValue.exact(f);
    }
    if (v instanceof Number n) {
      return n.doubleValue();
    }
    throw wrong(key, "a number");
  }

  /** True or false, or null where there is no such key. */
  public @Nullable Boolean flag(String key) {
    Object v = scalar(key, "true or false");
    if (v == null || v instanceof Boolean) {
      return (Boolean) v;
    }
    throw wrong(key, "true or false");
  }

  /** Strings, or null where there is no such key. */
  public @Nullable List<String> texts(String key) {
    GgufValue v = values.get(key);
    if (v == null) {
      return null;
    }
    if (v.element() != GgufValue.Type.STRING || !(v.content() instanceof List<?> list)) {
      throw wrong(key, "strings");
    }
    List<String> out = new ArrayList<>(list.size());
    list.forEach(s -> out.add((String) s));
    return out;
  }

  /** Integers of any width, or null where there is no such key. */
  public int @Nullable [] integers(String key) {
    GgufValue v = values.get(key);
    if (v == null) {
      return null;
    }
    if (v.type() != GgufValue.Type.ARRAY) {
      throw wrong(key, "integers");
    }
    int[] out = new int[v.size()];
    for (int i = 0; i < out.length; i++) {
      if (!(v.at(i) instanceof Long n) || n != n.intValue()) {
        throw wrong(key, "integers of 32 bits");
      }
      out[i] = n.intValue();
    }
    return out;
  }

  /** Floats, or null where there is no such key. */
  public float @Nullable [] floats(String key) {
    GgufValue v = values.get(key);
    if (v == null) {
      return null;
    }
    if (v.content() instanceof float[] f) {
      return f.clone();
    }
    throw wrong(key, "numbers of type FLOAT32");
  }

  /** What to throw when the value of {@code key} is not what it must be. */
  public IllegalArgumentException wrong(String key, String expected) {
    GgufValue found = values.get(key);
    return Malformed.of(
        file, Malformed.quote(key), expected, found == null ? "no such key" : found, null);
  }

  private @Nullable Object scalar(String key, String expected) {
    GgufValue v = values.get(key);
    if (v != null && v.type() == GgufValue.Type.ARRAY) {
      throw wrong(key, expected);
    }
    return v == null ? null : v.content();
  }

  @Override
  public String toString() {
    return file + ": " + values.size() + " keys";
  }
}
