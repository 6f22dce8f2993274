package org.peft4j.text.jinja;

import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Python's {@code ==}, {@code <} and {@code in}. */
final class Equality {
  private Equality() {}

  static boolean equal(Budget budget, @Nullable Object a, @Nullable Object b) {
    budget.step();
    if (a == b) {
      return !(a instanceof Double d && d.isNaN());
    }
    if (Numbers.isNumber(a) && Numbers.isNumber(b)) {
      return Numbers.compare(a, b) == 0;
    }
    if (a instanceof String s) {
      budget.spend(s.length());
      return s.equals(b);
    }
    if (a instanceof List<?> x && b instanceof List<?> y) {
      return equalItems(budget, x, y);
    }
    if (a instanceof Tuple x && b instanceof Tuple y) {
      return equalItems(budget, x.items(), y.items());
    }
    if (a instanceof Map<?, ?> x && b instanceof Map<?, ?> y) {
      if (x.size() != y.size()) {
        return false;
      }
      for (Map.Entry<?, ?> entry : x.entrySet()) {
        if (!Maps.has(y, entry.getKey())
            || !equal(budget, entry.getValue(), Maps.get(y, entry.getKey()))) {
          return false;
        }
      }
      return true;
    }
    return a instanceof Undefined && b instanceof Undefined;
  }

  private static boolean equalItems(Budget budget, List<?> x, List<?> y) {
    if (x.size() != y.size()) {
      return false;
    }
    Iterator<?> other = y.iterator();
    for (Object item : x) {
      if (!equal(budget, item, other.next())) {
        return false;
      }
    }
    return true;
  }

  static int compare(Budget budget, String operator, @Nullable Object a, @Nullable Object b) {
    budget.step();
    Undefined.refuse(a);
    Undefined.refuse(b);
    if (Numbers.isNumber(a) && Numbers.isNumber(b)) {
      return Numbers.compare(a, b);
    }
    if (a instanceof String x && b instanceof String y) {
      budget.spend(Math.min(x.length(), y.length()));
      return CodePoints.compare(x, y);
    }
    if (a instanceof List<?> x && b instanceof List<?> y) {
      return compareItems(budget, operator, x, y);
    }
    if (a instanceof Tuple x && b instanceof Tuple y) {
      return compareItems(budget, operator, x.items(), y.items());
    }
    throw TemplateException.of(
        "'%s' not supported between instances of '%s' and '%s'",
        operator, Types.nameOf(a), Types.nameOf(b));
  }

  private static int compareItems(Budget budget, String operator, List<?> x, List<?> y) {
    for (int i = 0; i < Math.min(x.size(), y.size()); i++) {
      if (!equal(budget, x.get(i), y.get(i))) {
        return compare(budget, operator, x.get(i), y.get(i));
      }
    }
    return Integer.compare(x.size(), y.size());
  }

  static boolean contains(Budget budget, @Nullable Object container, @Nullable Object item) {
    if (container instanceof String s) {
      if (!(item instanceof String part)) {
        Undefined.refuse(item);
        throw TemplateException.of(
            "'in <string>' requires string as left operand, not %s", Types.nameOf(item));
      }
      budget.spend(s.length());
      return s.contains(part);
    }
    if (container instanceof Map<?, ?> map) {
      return Maps.has(map, item);
    }
    Iterator<Object> items = Sequences.iterator(budget, container);
    while (items.hasNext()) {
      if (equal(budget, items.next(), item)) {
        return true;
      }
    }
    return false;
  }
}
