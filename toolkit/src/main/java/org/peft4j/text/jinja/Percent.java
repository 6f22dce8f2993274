package org.peft4j.text.jinja;

import java.math.BigInteger;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Python's {@code '%s of %d' % (a, b)}. */
final class Percent {
  private static final Pattern FIELD =
      Pattern.compile(
          "%(?:\\((?<key>[^)]*)\\))?(?<flags>[-+ 0#]*)(?<width>\\d*)(?:\\.(?<digits>\\d*))?(?<kind>.?)",
          Pattern.DOTALL);
  private static final int WIDEST = 10_000;

  private final Budget budget;
  private final @Nullable Object given;
  private final List<?> values;
  private int next;

  private Percent(Budget budget, @Nullable Object given) {
    this.budget = budget;
    this.given = given;
    this.values =
        given instanceof Tuple tuple ? tuple.items() : java.util.Collections.singletonList(given);
  }

  static String format(Budget budget, String pattern, @Nullable Object given) {
    budget.spend(pattern.length());
    Percent percent = new Percent(budget, given);
    StringBuilder out = new StringBuilder();
    Matcher field = FIELD.matcher(pattern);
    int from = 0;
    while (field.find()) {
      out.append(pattern, from, field.start());
      String text = field.group("kind").equals("%") ? "%" : percent.field(field);
      budget.spend(text.length());
      out.append(text);
      from = field.end();
    }
    boolean unused = percent.next < percent.values.size();
    boolean indexed = // what Python may index by name is not asked whether all of it was used
        given instanceof Map || given instanceof List || given instanceof Undefined;
    if (unused && !indexed) {
      throw TemplateException.of("not all arguments converted during string formatting");
    }
    return out.append(pattern, from, pattern.length()).toString();
  }

  private String field(Matcher field) {
    Object value = value(field.group("key"));
    String flags = field.group("flags");
    int width = number(field.group("width"), 0);
    int digits = number(field.group("digits"), -1);
    String kind = field.group("kind");
    String text =
        switch (kind) {
          case "s" -> cut(Text.str(budget, value), digits);
          case "r" -> cut(Text.repr(budget, value), digits);
          case "c" ->
              value instanceof String s ? s : Character.toString(Numbers.index(value, "%c"));
          case "d", "i", "u" -> signed(integer(value, kind).toString(), flags);
          case "x" -> signed(integer(value, kind).toString(16), flags);
          case "X" ->
              signed(integer(value, kind).toString(16).toUpperCase(java.util.Locale.ROOT), flags);
          case "o" -> signed(integer(value, kind).toString(8), flags);
          case "f", "F" -> signed(fixed(real(value, kind), digits < 0 ? 6 : digits), flags);
          default -> throw TemplateException.of("format '%%%s' is not supported", kind);
        };
    int missing = width - CodePoints.length(text);
    if (missing <= 0) {
      return text;
    }
    if (flags.contains("-")) {
      return text + " ".repeat(missing);
    }
    if (flags.contains("0") && !"src".contains(kind)) {
      int sign = text.startsWith("-") || text.startsWith("+") ? 1 : 0;
      return text.substring(0, sign) + "0".repeat(missing) + text.substring(sign);
    }
    return " ".repeat(missing) + text;
  }

  private @Nullable Object value(@Nullable String key) {
    if (key != null) {
      if (!(given instanceof Map<?, ?> map) || !Maps.has(map, key)) {
        throw TemplateException.of("format has no value for '%s'", key);
      }
      return Maps.get(map, key);
    }
    if (next >= values.size()) {
      throw TemplateException.of("not enough arguments for format string");
    }
    return values.get(next++);
  }

  private static int number(@Nullable String digits, int otherwise) {
    if (digits == null || digits.isEmpty()) {
      return otherwise;
    }
    if (digits.length() > 5 || Integer.parseInt(digits) > WIDEST) {
      throw TemplateException.of("a width of %s", digits);
    }
    return Integer.parseInt(digits);
  }

  private static String cut(String text, int digits) {
    return digits < 0 || digits >= CodePoints.length(text)
        ? text
        : text.substring(0, CodePoints.offset(text, digits));
  }

  private static String signed(String text, String flags) {
    if (text.startsWith("-")) {
      return text;
    }
    return flags.contains("+") ? "+" + text : flags.contains(" ") ? " " + text : text;
  }

  private static BigInteger integer(@Nullable Object value, String kind) {
    if (value instanceof Double d && "diu".contains(kind) && Double.isFinite(d)) {
      return new java.math.BigDecimal(d).toBigInteger();
    }
    if (!Numbers.isNumber(value) || value instanceof Double) {
      Undefined.refuse(value);
      throw TemplateException.of(
          "%%%s format: a number is required, not %s", kind, Types.nameOf(value));
    }
    return Numbers.big(value);
  }

  private static double real(@Nullable Object value, String kind) {
    if (!Numbers.isNumber(value)) {
      Undefined.refuse(value);
      throw TemplateException.of(
          "%%%s format: a number is required, not %s", kind, Types.nameOf(value));
    }
    return Numbers.real(value);
  }

  static String fixed(double value, int digits) {
    if (!Double.isFinite(value)) {
      return Numbers.text(value);
    }
    String text =
        new java.math.BigDecimal(value)
            .setScale(digits, java.math.RoundingMode.HALF_EVEN)
            .toPlainString();
    boolean minus = Double.doubleToRawLongBits(value) < 0 && !text.startsWith("-");
    return minus ? "-" + text : text;
  }
}
