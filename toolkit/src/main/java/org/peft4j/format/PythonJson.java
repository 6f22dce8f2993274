package org.peft4j.format;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** JSON text with the bytes of Python's {@code json.dumps}: its separators, escapes and floats. */
final class PythonJson {
  private static final int DEEPEST = 100;
  private static final RoundingMode[] ROUNDINGS = {
    RoundingMode.HALF_EVEN, RoundingMode.DOWN, RoundingMode.UP
  };

  private final boolean indented;
  private final boolean sorted;
  private final StringBuilder out = new StringBuilder();

  PythonJson(boolean indented, boolean sorted) {
    this.indented = indented;
    this.sorted = sorted;
  }

  String text(@Nullable Object value) {
    append(value, 0);
    return out.toString();
  }

  private void append(@Nullable Object value, int depth) {
    if (depth > DEEPEST) {
      throw new IllegalArgumentException("JSON to write: nested deeper than " + DEEPEST);
    }
    if (value == null || value instanceof Boolean) {
      out.append(value);
    } else if (value instanceof String s) {
      string(s);
    } else if (value instanceof Long
        || value instanceof Integer
        || value instanceof Short
        || value instanceof Byte
        || value instanceof BigInteger) {
      out.append(value);
    } else if (value instanceof Double || value instanceof Float) {
      out.append(number(((Number) value).doubleValue()));
    } else if (value instanceof Map<?, ?> map) {
      object(map, depth);
    } else if (value instanceof Collection<?> list) {
      open('[', list.isEmpty(), depth);
      int left = list.size();
      for (Object item : list) {
        append(item, depth + 1);
        separate(--left == 0, depth);
      }
      out.append(']');
    } else {
      throw new IllegalArgumentException(
          "JSON to write: expected strings, numbers, booleans, null, lists and maps, found "
              + value.getClass().getName());
    }
  }

  private void object(Map<?, ?> map, int depth) {
    for (Object key : map.keySet()) {
      if (!(key instanceof String)) {
        throw new IllegalArgumentException("JSON to write: expected string keys, found " + key);
      }
    }
    open('{', map.isEmpty(), depth);
    List<String> keys = map.keySet().stream().map(String.class::cast).toList();
    int left = keys.size();
    for (String key : sorted ? keys.stream().sorted(CODE_POINTS).toList() : keys) {
      string(key);
      out.append(": ");
      append(map.get(key), depth + 1);
      separate(--left == 0, depth);
    }
    out.append('}');
  }

  private void open(char bracket, boolean empty, int depth) {
    out.append(bracket);
    if (!empty && indented) {
      line(depth + 1);
    }
  }

  /** What follows an item: a comma, or the last line's end. */
  private void separate(boolean last, int depth) {
    if (!last) {
      out.append(indented ? "," : ", ");
    }
    if (indented) {
      line(last ? depth : depth + 1);
    }
  }

  private void line(int depth) {
    out.append('\n').append("  ".repeat(depth));
  }

  private void string(String s) {
    out.append('"');
    for (int i = 0; i < s.length(); i++) {
      char c = s.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        case '\f' -> out.append("\\f");
        case '\b' -> out.append("\\b");
        default -> {
          if (c < ' ' || c > '~') {
            out.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
          } else {
            out.append(c);
          }
        }
      }
    }
    out.append('"');
  }

  /**
   * A float as Python prints it: the fewest digits that read back as the same number, in exponent
   * form below 1e-4 and from 1e16 on.
   */
  static String number(double value) {
    if (Double.isNaN(value) || Double.isInfinite(value)) {
      throw new IllegalArgumentException("JSON to write: it has no number for " + value);
    }
    String sign = 1 / value < 0 || value < 0 ? "-" : "";
    if (value == 0) {
      return sign + "0.0";
    }
    BigDecimal shortest = shortest(Math.abs(value));
    String digits = shortest.unscaledValue().toString();
    int exponent = digits.length() - 1 - shortest.scale();
    digits = digits.replaceFirst("0+$", "");
    if (exponent < -4 || exponent >= 16) {
      String fraction = digits.length() > 1 ? "." + digits.substring(1) : "";
      return String.format(
          Locale.ROOT,
          "%s%c%se%s%02d",
          sign,
          digits.charAt(0),
          fraction,
          exponent < 0 ? "-" : "+",
          Math.abs(exponent));
    }
    if (exponent < 0) {
      return sign + "0." + "0".repeat(-exponent - 1) + digits;
    }
    int point = exponent + 1;
    return digits.length() <= point
        ? sign + digits + "0".repeat(point - digits.length()) + ".0"
        : sign + digits.substring(0, point) + "." + digits.substring(point);
  }

  /** Java's own digits read back as well, but up to JDK 18 there may be more than needed. */
  private static BigDecimal shortest(double value) {
    BigDecimal best = new BigDecimal(Double.toString(value)).stripTrailingZeros();
    BigDecimal exact = new BigDecimal(value);
    for (int digits = best.precision(); digits > 0; digits--) {
      BigDecimal shorter = rounded(exact, digits);
      if (shorter == null) {
        return best;
      }
      best = shorter;
    }
    return best;
  }

  /** The nearest number of so many digits that reads back as {@code exact}; null if none does. */
  private static @Nullable BigDecimal rounded(BigDecimal exact, int digits) {
    double value = exact.doubleValue();
    for (RoundingMode rounding : ROUNDINGS) { // near powers of two the nearest may not read back
      BigDecimal candidate = exact.round(new MathContext(digits, rounding));
      if (candidate.doubleValue() == value) {
        return candidate;
      }
    }
    return null;
  }

  /** The order of Unicode code points, which is that of UTF-8 bytes and of Python. */
  static final Comparator<String> CODE_POINTS =
      (a, b) -> {
        int n = Math.min(a.length(), b.length());
        for (int i = 0; i < n; i++) {
          char x = a.charAt(i);
          char y = b.charAt(i);
          if (x != y) { // surrogates stand for code points above all other characters
            boolean high = Character.isSurrogate(x);
            return high == Character.isSurrogate(y) ? Character.compare(x, y) : high ? 1 : -1;
          }
        }
        return Integer.compare(a.length(), b.length());
      };
}
