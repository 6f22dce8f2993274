package org.peft4j.text.jinja;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code value.name} looks at the type first, {@code value['name']} at the elements first. */
final class Members {
  private Members() {}

  static @Nullable Object attribute(Budget budget, @Nullable Object value, String name) {
    Undefined.refuse(value);
    if (value instanceof Attributes own) {
      return own.attribute(name);
    }
    Object method = Methods.of(value, name);
    if (method != null) {
      return method;
    }
    if (value instanceof Map<?, ?> map && Maps.has(map, name)) {
      return Maps.get(map, name);
    }
    return missing(budget, value, name);
  }

  static @Nullable Object item(Budget budget, @Nullable Object value, @Nullable Object key) {
    Undefined.refuse(value);
    if (value instanceof Map<?, ?> map) {
      if (!(key instanceof List || key instanceof Map) && Maps.has(map, key)) {
        return Maps.get(map, key);
      }
    } else if (index(key) instanceof Long index
        && (value instanceof List
            || value instanceof Tuple
            || value instanceof String
            || value instanceof Range)) {
      return Sequences.at(budget, value, index);
    }
    if (key instanceof String name) {
      if (value instanceof Attributes own) {
        return own.attribute(name);
      }
      Object method = Methods.of(value, name);
      if (method != null) {
        return method;
      }
    }
    return missing(budget, value, key);
  }

  private static @Nullable Object index(@Nullable Object key) {
    return key instanceof Boolean b ? (Object) (b ? 1L : 0L) : key;
  }

  private static Object missing(Budget budget, @Nullable Object value, @Nullable Object key) {
    return Undefined.attribute(value, Text.str(budget, key));
  }

  /** A value of the interpreter's own with names behind its dot. */
  interface Attributes {
    /** The value of that name, undefined when it has none. */
    @Nullable Object attribute(String name);
  }
}
