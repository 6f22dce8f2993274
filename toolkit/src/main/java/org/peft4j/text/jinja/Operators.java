package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Python's {@code + - * / // % **} on numbers, texts and lists. */
final class Operators {
  private Operators() {}

  static Object apply(Budget budget, String operator, @Nullable Object a, @Nullable Object b) {
    Undefined.refuse(a);
    if (a instanceof String s && operator.equals("%")) {
      return Percent.format(budget, s, b);
    }
    Undefined.refuse(b);
    if (Numbers.isNumber(a) && Numbers.isNumber(b)) {
      return Numbers.calculate(operator, a, b);
    }
    if (operator.equals("+")) {
      Object sum = add(budget, a, b);
      if (sum != null) {
        return sum;
      }
    } else if (operator.equals("*")) {
      Object product =
          Numbers.isNumber(b) && !(b instanceof Double)
              ? repeat(budget, a, b)
              : Numbers.isNumber(a) && !(a instanceof Double) ? repeat(budget, b, a) : null;
      if (product != null) {
        return product;
      }
    }
    throw TemplateException.of(
        "unsupported operand types for %s: '%s' and '%s'%s",
        operator,
        Types.nameOf(a),
        Types.nameOf(b),
        operator.equals("+") && (a instanceof String || b instanceof String)
            ? "; ~ joins values of any type"
            : "");
  }

  private static @Nullable Object add(Budget budget, @Nullable Object a, @Nullable Object b) {
    if (a instanceof String x && b instanceof String y) {
      budget.spend((long) x.length() + y.length());
      return x + y;
    }
    if (a instanceof List<?> x && b instanceof List<?> y) {
      return concat(budget, x, y);
    }
    if (a instanceof Tuple x && b instanceof Tuple y) {
      return new Tuple(concat(budget, x.items(), y.items()));
    }
    return null;
  }

  private static List<Object> concat(Budget budget, List<?> x, List<?> y) {
    budget.spend(8L * (x.size() + (long) y.size()));
    List<Object> out = new ArrayList<>(x);
    out.addAll(y);
    return out;
  }

  private static @Nullable Object repeat(
      Budget budget, @Nullable Object what, @Nullable Object count) {
    int times = Math.max(0, Numbers.index(count, "a count"));
    if (what instanceof String s) {
      budget.spend((long) s.length() * times);
      return s.repeat(times);
    }
    if (!(what instanceof List) && !(what instanceof Tuple)) {
      return null;
    }
    List<Object> items = Sequences.list(budget, what);
    budget.spend(8L * items.size() * times);
    List<Object> out = new ArrayList<>();
    for (int i = 0; i < times && !items.isEmpty(); i++) {
      out.addAll(items);
    }
    return what instanceof Tuple ? new Tuple(out) : out;
  }
}
