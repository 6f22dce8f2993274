package org.peft4j.text.jinja;

import java.math.BigInteger;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Python's {@code '{} of {1:>5}'.format(a, b)}, for fields that are a number or a name. */
final class Braces {
  private static final Pattern PART =
      Pattern.compile(
          "\\{\\{|\\}\\}|\\{(?<field>\\w*)(?:!(?<as>[rs]))?(?::(?<spec>[^{}]*))?\\}|[{}]");
  private static final Pattern SPEC =
      Pattern.compile(
          "(?:(?<fill>.)(?=[<>^]))?(?<align>[<>^])?(?<sign>[-+ ])?(?<zero>0)?(?<width>\\d{0,4})(?<comma>,)?(?:\\.(?<digits>\\d{1,4}))?(?<kind>[sdfFxX]?)",
          Pattern.DOTALL);

  private Braces() {}

  static String format(Budget budget, String pattern, Arguments arguments) {
    StringBuilder out = new StringBuilder();
    Matcher part = PART.matcher(pattern);
    int from = 0;
    int next = 0;
    while (part.find()) {
      out.append(pattern, from, part.start());
      from = part.end();
      String field = part.group("field");
      if (field == null) {
        if (part.group().length() == 1) {
          throw TemplateException.of("format: '%s' stands alone", part.group());
        }
        out.append(part.group().charAt(0));
        continue;
      }
      Object value = value(arguments, field.isEmpty() ? String.valueOf(next++) : field);
      if ("r".equals(part.group("as"))) {
        value = Text.repr(budget, value);
      }
      String text = field(budget, value, part.group("spec"));
      budget.spend(text.length());
      out.append(text);
    }
    return out.append(pattern, from, pattern.length()).toString();
  }

  private static @Nullable Object value(Arguments arguments, String field) {
    if (arguments.named().containsKey(field)) {
      return arguments.named().get(field);
    }
    if (!field.matches("\\d{1,4}") || Integer.parseInt(field) >= arguments.positional().size()) {
      throw TemplateException.of("format has no value for '{%s}'", field);
    }
    return arguments.positional().get(Integer.parseInt(field));
  }

  private static String field(Budget budget, @Nullable Object value, @Nullable String given) {
    if (given == null || given.isEmpty()) {
      return Text.str(budget, value);
    }
    Matcher spec = SPEC.matcher(given);
    if (!spec.matches()) {
      throw TemplateException.of("format '{:%s}' is not supported", given);
    }
    boolean number = Numbers.isNumber(value);
    int digits = spec.group("digits") == null ? -1 : Integer.parseInt(spec.group("digits"));
    String text = number ? number(value, spec, digits) : Text.str(budget, value);
    if (!number && digits >= 0 && digits < CodePoints.length(text)) {
      text = text.substring(0, CodePoints.offset(text, digits));
    }
    String width = spec.group("width");
    int missing = (width.isEmpty() ? 0 : Integer.parseInt(width)) - CodePoints.length(text);
    if (missing <= 0) {
      return text;
    }
    String fill =
        spec.group("fill") != null ? spec.group("fill") : spec.group("zero") != null ? "0" : " ";
    String align = spec.group("align") != null ? spec.group("align") : number ? ">" : "<";
    int left = align.equals("<") ? 0 : align.equals(">") ? missing : missing / 2;
    return fill.repeat(left) + text + fill.repeat(missing - left);
  }

  private static String number(@Nullable Object value, Matcher spec, int digits) {
    String kind = spec.group("kind");
    String text;
    if (kind.equalsIgnoreCase("f") || (value instanceof Double && digits >= 0)) {
      text = Percent.fixed(Numbers.real(value), digits < 0 ? 6 : digits);
    } else if (kind.isEmpty()) {
      text = Numbers.text(value);
    } else {
      BigInteger n = Numbers.big(value);
      text = kind.equals("d") ? n.toString() : n.toString(16);
      text = kind.equals("X") ? text.toUpperCase(Locale.ROOT) : text;
    }
    if (spec.group("comma") != null) {
      int point = text.indexOf('.') < 0 ? text.length() : text.indexOf('.');
      text =
          text.substring(0, point).replaceAll("(?<=\\d)(?=(\\d{3})+$)", ",")
              + text.substring(point);
    }
    String sign = spec.group("sign");
    return sign == null || sign.equals("-") || text.startsWith("-") ? text : sign + text;
  }
}
