package org.peft4j.text.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Filters that make or compare numbers. */
final class NumberFilters {
  private NumberFilters() {}

  static void register(Map<String, Filters.Filter> all) {
    all.put("int", NumberFilters::integer);
    all.put("float", NumberFilters::real);
    all.put(
        "abs", (run, value, a) -> number(value).startsWith("-") ? Numbers.negate(value) : value);
    all.put("round", NumberFilters::round);
    all.put("sum", NumberFilters::sum);
    all.put("max", (run, value, a) -> extreme(run, value, a, 1));
    all.put("min", (run, value, a) -> extreme(run, value, a, -1));
  }

  private static String number(@Nullable Object value) {
    if (!Numbers.isNumber(value)) {
      Undefined.refuse(value);
      throw TemplateException.of("a number is required, not %s", Types.nameOf(value));
    }
    return Numbers.text(value);
  }

  private static @Nullable Object integer(Run run, @Nullable Object value, Arguments a) {
    a.require("int", 0, "default", "base");
    Object otherwise = a.get(0, "default", 0L);
    if (value instanceof Boolean || Numbers.isInteger(value)) {
      return Numbers.shrink(Numbers.big(value));
    }
    if (value instanceof Double d) {
      return Double.isFinite(d) ? Numbers.shrink(new BigDecimal(d).toBigInteger()) : otherwise;
    }
    if (!(value instanceof String s)) {
      Undefined.refuse(value);
      return otherwise;
    }
    String text = CodePoints.strip(s, true, true, "").replace("_", "");
    int base = a.integer(1, "base", 10);
    try {
      return Numbers.shrink(new BigInteger(withoutPrefix(text, base), base));
    } catch (NumberFormatException e) {
      Double number = parse(text);
      return number == null || !Double.isFinite(number)
          ? otherwise
          : Numbers.shrink(new BigDecimal(number).toBigInteger());
    }
  }

  private static String withoutPrefix(String text, int base) {
    String prefix = base == 16 ? "0[xX]" : base == 8 ? "0[oO]" : base == 2 ? "0[bB]" : "$^";
    if (text.length() > 3000) {
      throw TemplateException.of("a number of %d digits", text.length());
    }
    return text.replaceFirst("^([-+]?)" + prefix, "$1");
  }

  private static @Nullable Double parse(String text) {
    if (!text.matches("[-+]?(\\d+\\.?\\d*|\\.\\d+)([eE][-+]?\\d+)?")) {
      return null;
    }
    return Double.valueOf(text);
  }

  private static @Nullable Object real(Run run, @Nullable Object value, Arguments a) {
    Object otherwise = a.require("float", 0, "default").get(0, "default", 0.0);
    if (Numbers.isNumber(value)) {
      return Numbers.real(value);
    }
    Undefined.refuse(value);
    Double parsed =
        value instanceof String s
            ? parse(CodePoints.strip(s, true, true, "").replace("_", ""))
            : null;
    return parsed == null ? otherwise : parsed;
  }

  private static Object round(Run run, @Nullable Object value, Arguments a) {
    a.require("round", 0, "precision", "method");
    int precision = Math.max(-400, Math.min(400, a.integer(0, "precision", 0)));
    String method = a.text(1, "method", "common");
    number(value);
    if (!List.of("common", "ceil", "floor").contains(method)) {
      throw TemplateException.of("method must be common, ceil or floor");
    }
    if (method.equals("common")) {
      if (!(value instanceof Double d)) {
        return Numbers.big(value).longValue();
      }
      return Double.isFinite(d)
          ? new BigDecimal(d).setScale(precision, RoundingMode.HALF_EVEN).doubleValue()
          : d;
    }
    double scale = Math.pow(10, precision);
    double scaled = Numbers.real(value) * scale;
    return (method.equals("ceil") ? Math.ceil(scaled) : Math.floor(scaled)) / scale;
  }

  private static @Nullable Object sum(Run run, @Nullable Object value, Arguments a) {
    a.require("sum", 0, "attribute", "start");
    Object attribute = a.get(0, "attribute", null);
    Object total = a.get(1, "start", 0L);
    for (Object item : Sequences.list(run.budget(), value)) {
      Object part = attribute == null ? item : SelectFilters.attribute(run, item, attribute);
      total = Operators.apply(run.budget(), "+", total, part);
    }
    return total;
  }

  private static @Nullable Object extreme(Run run, @Nullable Object value, Arguments a, int sign) {
    a.require(sign > 0 ? "max" : "min", 0, "case_sensitive", "attribute");
    Object attribute = a.get(1, "attribute", null);
    boolean exact = a.flag(0, "case_sensitive", false);
    Object best = null;
    Object bestKey = null;
    boolean any = false;
    for (Object item : Sequences.list(run.budget(), value)) {
      Object key = attribute == null ? item : SelectFilters.attribute(run, item, attribute);
      if (key instanceof String s && !exact) {
        key = run.paid(s.toLowerCase(java.util.Locale.ROOT));
      }
      if (!any || Equality.compare(run.budget(), "<", key, bestKey) * sign > 0) {
        best = item;
        bestKey = key;
      }
      any = true;
    }
    return any ? best : new Undefined("No aggregated item, sequence was empty.");
  }
}
