package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Python's dictionaries, where 1, 1.0 and True are one key. */
final class Maps {
  private Maps() {}

  static boolean has(Map<?, ?> map, @Nullable Object key) {
    return map.containsKey(find(map, key));
  }

  static @Nullable Object get(Map<?, ?> map, @Nullable Object key) {
    return map.get(find(map, key));
  }

  static void put(Map<Object, Object> map, @Nullable Object key, @Nullable Object value) {
    map.put(find(map, key), value);
  }

  private static @Nullable Object find(Map<?, ?> map, @Nullable Object key) {
    if (key instanceof List || key instanceof Map) {
      throw TemplateException.of("unhashable type: '%s'", Types.nameOf(key));
    }
    if (Numbers.isNumber(key) && !map.containsKey(key)) {
      for (Object other : map.keySet()) {
        if (Numbers.isNumber(other) && Numbers.compare(key, other) == 0) {
          return other;
        }
      }
    }
    return key;
  }

  /** Its entries as pairs. */
  static List<Object> items(Map<?, ?> map) {
    List<Object> out = new ArrayList<>(map.size());
    for (Map.Entry<?, ?> entry : map.entrySet()) {
      List<Object> pair = new ArrayList<>(2);
      pair.add(entry.getKey());
      pair.add(entry.getValue());
      out.add(new Tuple(pair));
    }
    return out;
  }
}
