package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What has elements: iteration, length, index and slice. */
final class Sequences {
  private Sequences() {}

  static boolean isIterable(@Nullable Object value) {
    return value instanceof String
        || value instanceof List
        || value instanceof Tuple
        || value instanceof Map
        || value instanceof Generator
        || value instanceof Range
        || value instanceof Undefined;
  }

  static Iterator<Object> iterator(Budget budget, @Nullable Object value) {
    if (value instanceof Generator generator) {
      return generator.iterator();
    }
    return list(budget, value).iterator();
  }

  /** The elements; a list of its own only where it must be one. */
  @SuppressWarnings("unchecked") // lists of a template hold any value
  static List<Object> list(Budget budget, @Nullable Object value) {
    if (value instanceof List<?> list) {
      return (List<Object>) list;
    } else if (value instanceof Tuple tuple) {
      return tuple.items();
    } else if (value instanceof Range range) {
      return range.items(budget);
    } else if (value instanceof Undefined) {
      return List.of();
    } else if (value instanceof String s) {
      budget.spend(8L * s.length());
      return CodePoints.list(s);
    } else if (value instanceof Map<?, ?> map) {
      budget.spend(8L * map.size());
      return new ArrayList<>(map.keySet());
    } else if (value instanceof Generator generator) {
      List<Object> out = new ArrayList<>();
      generator
          .iterator()
          .forEachRemaining(
              item -> {
                budget.spend(8);
                out.add(item);
              });
      return out;
    }
    throw TemplateException.of(
        "'%s' object is not iterable", value == null ? "NoneType" : Types.nameOf(value));
  }

  static long length(@Nullable Object value) {
    if (value instanceof String s) {
      return CodePoints.length(s);
    } else if (value instanceof List<?> list) {
      return list.size();
    } else if (value instanceof Tuple tuple) {
      return tuple.items().size();
    } else if (value instanceof Map<?, ?> map) {
      return map.size();
    } else if (value instanceof Range range) {
      return range.size();
    } else if (value instanceof Undefined) {
      return 0;
    }
    throw TemplateException.of("object of type '%s' has no len()", Types.nameOf(value));
  }

  /** {@code value[index]}, or null where there is nothing. */
  static @Nullable Object at(Budget budget, Object value, long index) {
    long size = length(value);
    long i = index < 0 ? index + size : index;
    if (i < 0 || i >= size) {
      return Undefined.attribute(value, String.valueOf(index));
    }
    if (value instanceof String s) {
      budget.spend(s.length());
      return Character.toString(s.codePointAt(CodePoints.offset(s, (int) i)));
    }
    return value instanceof Range range ? range.at(i) : list(budget, value).get((int) i);
  }

  /** {@code value[start:stop:step]}. */
  static Object slice(
      Budget budget,
      @Nullable Object value,
      @Nullable Object start,
      @Nullable Object stop,
      @Nullable Object step) {
    if (!(value instanceof String
        || value instanceof List
        || value instanceof Tuple
        || value instanceof Range)) {
      Undefined.refuse(value);
      throw TemplateException.of("'%s' object cannot be cut in slices", Types.nameOf(value));
    }
    int by = step == null ? 1 : Numbers.index(step, "a slice's step");
    if (by == 0) {
      throw TemplateException.of("slice step cannot be zero");
    }
    int size = (int) length(value);
    int from = bound(start, size, by > 0 ? 0 : size - 1, by);
    int to = bound(stop, size, by > 0 ? size : -1, by);
    budget.spend(size);
    if (by == 1 && value instanceof String s) {
      return from >= to ? "" : s.substring(CodePoints.offset(s, from), CodePoints.offset(s, to));
    }
    List<Object> items = list(budget, value);
    List<Object> out = new ArrayList<>();
    for (long i = from; by > 0 ? i < to : i > to; i += by) {
      budget.spend(8);
      out.add(items.get((int) i));
    }
    if (value instanceof String) {
      StringBuilder text = new StringBuilder();
      out.forEach(text::append);
      return text.toString();
    }
    return value instanceof Tuple ? new Tuple(out) : out;
  }

  private static int bound(@Nullable Object given, int size, int missing, int by) {
    if (given == null) {
      return missing;
    }
    int at = Numbers.index(given, "a slice's bound");
    if (at < 0) {
      at += size;
      return at < 0 ? (by > 0 ? 0 : -1) : at;
    }
    return Math.min(at, by > 0 ? size : size - 1);
  }
}
