package org.peft4j.spi;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The entries of a configuration file, read by name and type. It remembers which ones were asked
 * for, so that an entry nobody understands can be refused instead of ignored.
 */
public final class Entries {
  /** Stands for null in a configuration to be written. */
  public static final Object NULL = new Object();

  private final String source;
  private final Map<String, @Nullable Object> values;
  private final Set<String> read = new LinkedHashSet<>();

  /**
   * @param source what error messages call the file
   * @param values strings, {@link Number}s, {@link Boolean}s, lists, maps and nulls
   */
  public Entries(String source, Map<String, @Nullable Object> values) {
    this.source = source;
    this.values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
  }

  private @Nullable Object raw(String key) {
    read.add(key);
    return values.get(key);
  }

  private IllegalArgumentException wrong(String key, String expected, Object found) {
    return new IllegalArgumentException(
        source + ": " + key + "\nexpected: " + expected + "\nfound: " + found);
  }

  /** Whether the entry is there and not null. */
  public boolean has(String key) {
    return values.get(key) != null;
  }

  public int integer(String key, int otherwise) {
    Object v = raw(key);
    if (v == null) {
      return otherwise;
    }
    if (v instanceof Number n && n.doubleValue() == n.intValue()) {
      return n.intValue();
    }
    throw wrong(key, "an integer", v);
  }

  public double number(String key, double otherwise) {
    Object v = raw(key);
    if (v == null) {
      return otherwise;
    }
    if (v instanceof Number n) {
      return n.doubleValue();
    }
    throw wrong(key, "a number", v);
  }

  public boolean flag(String key, boolean otherwise) {
    Object v = raw(key);
    if (v == null) {
      return otherwise;
    }
    if (v instanceof Boolean b) {
      return b;
    }
    throw wrong(key, "true or false", v);
  }

  public String text(String key, String otherwise) {
    Object v = raw(key);
    if (v == null) {
      return otherwise;
    }
    if (v instanceof String s) {
      return s;
    }
    throw wrong(key, "a string", v);
  }

  public @Nullable String textOrNull(String key) {
    return has(key) ? text(key, "") : null;
  }

  /** A string or a boolean, such as {@code init_lora_weights}. */
  public Object textOrFlag(String key, Object otherwise) {
    Object v = raw(key);
    if (v == null) {
      return otherwise;
    }
    if (v instanceof String || v instanceof Boolean) {
      return v;
    }
    throw wrong(key, "a string, true or false", v);
  }

  /** A list of strings; one string stands for a list of it. */
  public List<String> texts(String key) {
    Object v = raw(key);
    if (v == null) {
      return List.of();
    }
    if (v instanceof String s) {
      return List.of(s);
    }
    List<String> out = new ArrayList<>();
    if (v instanceof List<?> list) {
      for (Object o : list) {
        if (!(o instanceof String s)) {
          throw wrong(key, "a list of strings", v);
        }
        out.add(s);
      }
      return out;
    }
    throw wrong(key, "a list of strings", v);
  }

  /** A list of integers; one integer stands for a list of it. */
  public List<Integer> integers(String key) {
    Object v = raw(key);
    if (v == null) {
      return List.of();
    }
    List<?> list = v instanceof List<?> l ? l : List.of(v);
    List<Integer> out = new ArrayList<>();
    for (Object o : list) {
      if (!(o instanceof Number n) || n.doubleValue() != n.intValue()) {
        throw wrong(key, "a list of integers", v);
      }
      out.add(n.intValue());
    }
    return out;
  }

  /** A map from strings to numbers, in the order of the file. */
  public Map<String, Double> numbers(String key) {
    Object v = raw(key);
    if (v == null) {
      return Map.of();
    }
    if (v instanceof Map<?, ?> map) {
      Map<String, Double> out = new LinkedHashMap<>();
      map.forEach(
          (k, n) -> {
            if (!(n instanceof Number number)) {
              throw wrong(key, "a map of numbers", v);
            }
            out.put(String.valueOf(k), number.doubleValue());
          });
      return out;
    }
    throw wrong(key, "a map of numbers", v);
  }

  /** A map from names to strings, in the order of the file. */
  public Map<String, String> namedTexts(String key) {
    Object v = raw(key);
    Map<String, String> out = new LinkedHashMap<>();
    if (v instanceof Map<?, ?> map && map.values().stream().allMatch(t -> t instanceof String)) {
      map.forEach((k, text) -> out.put(String.valueOf(k), String.valueOf(text)));
    } else if (v != null) {
      throw wrong(key, "a map of strings", v);
    }
    return out;
  }

  /** Entries within an entry, to be read and checked like a file's; none where it is not there. */
  public Entries section(String key) {
    Object v = raw(key);
    Map<String, @Nullable Object> inside = new LinkedHashMap<>();
    if (v instanceof Map<?, ?> map) {
      map.forEach((k, value) -> inside.put(String.valueOf(k), value));
    } else if (v != null) {
      throw wrong(key, "a map", v);
    }
    return new Entries(source + ": " + key, inside);
  }

  /** A map from names to lists of booleans, in the order of the file. */
  public Map<String, List<Boolean>> masks(String key) {
    Object v = raw(key);
    Map<String, List<Boolean>> out = new LinkedHashMap<>();
    if (v instanceof Map<?, ?> map) {
      map.forEach(
          (name, list) -> {
            if (!(list instanceof List<?> l) || !l.stream().allMatch(b -> b instanceof Boolean)) {
              throw wrong(key, "a map of lists of true and false", v);
            }
            out.put(String.valueOf(name), l.stream().map(b -> (Boolean) b).toList());
          });
    } else if (v != null) {
      throw wrong(key, "a map of lists of true and false", v);
    }
    return out;
  }

  /** Declares that an entry is understood, whatever it holds. */
  public void accept(String... keys) {
    read.addAll(List.of(keys));
  }

  /**
   * Refuses entries that nobody read, unless they are null, false or empty (newer versions of the
   * writer add such).
   *
   * @throws IllegalArgumentException that names all of them
   */
  public void requireAllRead() {
    List<String> unknown = new ArrayList<>();
    values.forEach(
        (k, v) -> {
          if (!read.contains(k) && !isEmpty(v)) {
            unknown.add(k + " = " + v);
          }
        });
    if (!unknown.isEmpty()) {
      throw new IllegalArgumentException(
          source
              + ": entries that peft4j does not support\nfound: "
              + String.join(", ", unknown)
              + "\nfix: an adapter that uses them would compute something else here; remove them only if they have no effect");
    }
  }

  private static boolean isEmpty(@Nullable Object v) {
    return v == null
        || Boolean.FALSE.equals(v)
        || "".equals(v)
        || (v instanceof List<?> l && l.isEmpty())
        || (v instanceof Map<?, ?> m && m.isEmpty());
  }
}
