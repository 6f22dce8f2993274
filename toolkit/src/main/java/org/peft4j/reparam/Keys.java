package org.peft4j.reparam;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Entries;

/**
 * Reads and writes records by the {@link Key}s of their components: numbers, booleans, texts,
 * enumerations (by their {@code toString}), lists of texts, and maps from module names to numbers.
 * Components without a key are in no file.
 */
final class Keys {
  private Keys() {}

  /** The entries of a record, nulls as {@link Entries#NULL}. */
  static Map<String, Object> write(Object record) {
    Map<String, Object> out = new LinkedHashMap<>();
    for (RecordComponent c : keyed(record)) {
      Object v = value(record, c);
      out.put(key(c), v == null ? Entries.NULL : written(v));
    }
    return out;
  }

  private static Object written(Object v) {
    if (v instanceof Enum<?>) {
      return switch (v.toString()) {
        case "true" -> true;
        case "false" -> false;
        default -> v.toString();
      };
    }
    if (v instanceof Map<?, ?> map) {
      Map<String, Object> out = new LinkedHashMap<>();
      map.forEach((k, x) -> out.put(String.valueOf(k), written(x)));
      return out;
    }
    return v instanceof Double d ? Patterns.tidy(d) : v;
  }

  /** The record that a file describes; entries it does not have are as in {@code standard}. */
  static <T> T read(T standard, Entries file) {
    Map<String, @Nullable Object> values = new LinkedHashMap<>();
    for (RecordComponent c : keyed(standard)) {
      values.put(key(c), read(file, c, value(standard, c)));
    }
    return with(standard, values);
  }

  private static @Nullable Object read(
      Entries file, RecordComponent c, @Nullable Object otherwise) {
    String key = key(c);
    Class<?> type = c.getType();
    if (!file.has(key)) {
      file.accept(key);
      return otherwise;
    }
    if (type == int.class || type == Integer.class) {
      return file.integer(key, 0);
    }
    if (type == long.class || type == Long.class) {
      return (long) file.integer(key, 0);
    }
    if (type == double.class || type == Double.class) {
      return file.number(key, 0);
    }
    if (type == boolean.class) {
      return file.flag(key, false);
    }
    if (type == String.class) {
      return file.text(key, "");
    }
    if (type.isEnum()) {
      return constant(key, type, file.textOrFlag(key, ""));
    }
    if (type == List.class) {
      return file.texts(key);
    }
    if (type == Map.class) {
      return numbers(file.numbers(key), c.getGenericType().getTypeName().endsWith("Integer>"));
    }
    throw new IllegalStateException("no way to read " + c);
  }

  private static Map<String, Number> numbers(Map<String, Double> map, boolean whole) {
    Map<String, Number> out = new LinkedHashMap<>();
    map.forEach((k, v) -> out.put(k, whole ? (Number) v.intValue() : v));
    return out;
  }

  private static Object constant(String key, Class<?> type, Object found) {
    List<?> all = List.of(type.getEnumConstants());
    for (Object o : all) {
      if (o.toString().equals(found.toString())) {
        return o;
      }
    }
    throw new IllegalArgumentException(key + "\nexpected: one of " + all + "\nfound: " + found);
  }

  /** The same record with other values of some entries. */
  @SuppressWarnings("unchecked")
  static <T> T with(T record, Map<String, ? extends @Nullable Object> values) {
    RecordComponent[] components = record.getClass().getRecordComponents();
    @Nullable Object[] arguments = new Object[components.length];
    for (int i = 0; i < components.length; i++) {
      String key = isKeyed(components[i]) ? key(components[i]) : "";
      arguments[i] = values.containsKey(key) ? values.get(key) : value(record, components[i]);
    }
    Class<?>[] types =
        Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new);
    try {
      Constructor<?> canonical = record.getClass().getDeclaredConstructor(types);
      return (T) canonical.newInstance(arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The same record with another value of one entry. */
  static <T> T with(T record, String key, Object value) {
    return with(record, Map.of(key, value));
  }

  /** The record at one module: what patterns say there, without patterns. */
  static <T> T at(T record, String path) {
    Map<String, @Nullable Object> here = new LinkedHashMap<>();
    for (RecordComponent c : keyed(record)) {
      Key key = annotation(c);
      if (!key.replaces().isEmpty() && value(record, c) instanceof Map<?, ?> patterns) {
        Object found = Patterns.find(patterns(patterns), path);
        if (found != null) {
          here.put(key.replaces(), number(record, key.replaces(), (Number) found));
          here.put(key.value(), Map.of());
        }
      }
    }
    return here.isEmpty() ? record : with(record, here);
  }

  private static Map<String, Object> patterns(Map<?, ?> map) {
    Map<String, Object> out = new LinkedHashMap<>();
    map.forEach((k, v) -> out.put(String.valueOf(k), v));
    return out;
  }

  private static Object number(Object record, String key, Number found) {
    for (RecordComponent c : keyed(record)) {
      if (key(c).equals(key) && c.getType() == int.class) {
        return found.intValue();
      }
    }
    return found.doubleValue();
  }

  /** Numbers that are not 0, what is switched on, and texts, by the names of the components. */
  static String summary(Object record) {
    List<String> words = new ArrayList<>();
    for (RecordComponent c : keyed(record)) {
      String name = c.getName().replaceAll("([A-Z])", " $1").toLowerCase(Locale.ROOT);
      Object v = value(record, c);
      if (v instanceof Number n && n.doubleValue() != 0) {
        words.add(name + " " + Patterns.tidy(n.doubleValue()));
      } else if (Boolean.TRUE.equals(v)) {
        words.add(name);
      } else if (v instanceof String || v instanceof Enum<?>) {
        words.add(name + " " + v);
      } else if (v instanceof Map<?, ?> map && !map.isEmpty()) {
        words.add(name + " " + map);
      }
    }
    return String.join(", ", words);
  }

  private static @Nullable Object value(Object record, RecordComponent c) {
    try {
      return c.getAccessor().invoke(record);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  private static List<RecordComponent> keyed(Object record) {
    return Arrays.stream(record.getClass().getRecordComponents()).filter(Keys::isKeyed).toList();
  }

  private static boolean isKeyed(RecordComponent c) {
    return c.isAnnotationPresent(Key.class);
  }

  private static String key(RecordComponent c) {
    return annotation(c).value();
  }

  private static Key annotation(RecordComponent c) {
    return Objects.requireNonNull(
        c.getAnnotation(Key.class), () -> c.getDeclaringRecord() + ": no key at " + c.getName());
  }
}
