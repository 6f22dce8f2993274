package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Filters that make text. */
final class TextFilters {
  private interface OfText {
    Object apply(Run run, String text, Arguments arguments);
  }

  private static final Pattern WORD = Pattern.compile("\\w+", Pattern.UNICODE_CHARACTER_CLASS);

  private TextFilters() {}

  static void register(Map<String, Filters.Filter> all) {
    text(all, "upper", (run, s, a) -> s.toUpperCase(Locale.ROOT));
    text(all, "lower", (run, s, a) -> s.toLowerCase(Locale.ROOT));
    text(all, "capitalize", (run, s, a) -> StringMethods.capitalize(s));
    text(all, "title", (run, s, a) -> title(s));
    text(all, "string", (run, s, a) -> s);
    text(all, "safe", (run, s, a) -> s);
    text(all, "escape", (run, s, a) -> escape(run, s));
    text(all, "e", (run, s, a) -> escape(run, s));
    text(all, "forceescape", (run, s, a) -> escape(run, s));
    text(
        all,
        "trim",
        (run, s, a) ->
            CodePoints.strip(s, true, true, a.require("trim", 0, "chars").text(0, "chars", "")));
    text(all, "replace", TextFilters::replace);
    text(all, "wordcount", (run, s, a) -> WORD.matcher(s).results().count());
    text(
        all,
        "format",
        (run, s, a) ->
            Percent.format(
                run.budget(), s, a.named().isEmpty() ? new Tuple(a.positional()) : a.named()));
    all.put("indent", TextFilters::indent);
    all.put("tojson", (run, value, a) -> JsonText.of(run.budget(), value, a));
    all.put("join", TextFilters::join);
  }

  private static void text(Map<String, Filters.Filter> all, String name, OfText filter) {
    all.put(
        name,
        (run, value, a) -> Types.of(filter.apply(run, run.paid(Text.str(run.budget(), value)), a)));
  }

  private static Object replace(Run run, String s, Arguments a) {
    a.require("replace", 2, "old", "new", "count");
    List<Object> values = new ArrayList<>();
    values.add(Text.str(run.budget(), a.get(0, "old", null)));
    values.add(Text.str(run.budget(), a.get(1, "new", null)));
    values.add(a.get(2, "count", null));
    return StringMethods.replace(run.budget(), s, new Arguments(values, Map.of()));
  }

  /** Every word begins large; words also begin behind hyphens and opening brackets. */
  private static String title(String s) {
    StringBuilder out = new StringBuilder();
    boolean first = true;
    for (int c : s.codePoints().toArray()) {
      String one = Character.toString(c);
      out.append(first ? one.toUpperCase(Locale.ROOT) : one.toLowerCase(Locale.ROOT));
      first = CodePoints.isSpace(c) || "-({[<".indexOf(c) >= 0;
    }
    return out.toString();
  }

  private static String escape(Run run, String s) {
    return run.paid(
        s.replace("&", "&amp;")
            .replace("<", "&lt;")
            .replace(">", "&gt;")
            .replace("'", "&#39;")
            .replace("\"", "&#34;"));
  }

  private static Object indent(Run run, @Nullable Object value, Arguments a) {
    a.require("indent", 0, "width", "first", "blank");
    Undefined.refuse(value);
    if (!(value instanceof String s)) {
      throw TemplateException.of("indent needs str, not %s", Types.nameOf(value));
    }
    Object width = a.get(0, "width", 4L);
    int spaces = width instanceof String ? 0 : Math.max(0, Numbers.index(width, "width"));
    run.budget().spend(spaces);
    String step = width instanceof String w ? w : " ".repeat(spaces);
    boolean blank = a.flag(2, "blank", false);
    StringBuilder out = new StringBuilder(a.flag(1, "first", false) ? step : "");
    List<String> lines = CodePoints.lines(s + "\n", false);
    for (int i = 0; i < lines.size(); i++) {
      run.budget().spend((long) step.length() + lines.get(i).length());
      if (i > 0) {
        out.append('\n').append(blank || !lines.get(i).isEmpty() ? step : "");
      }
      out.append(lines.get(i));
    }
    return out.toString();
  }

  private static Object join(Run run, @Nullable Object value, Arguments a) {
    a.require("join", 0, "d", "attribute");
    Object attribute = a.get(1, "attribute", null);
    String separator = Text.str(run.budget(), a.get(0, "d", ""));
    StringBuilder out = new StringBuilder();
    String between = "";
    for (Object item : Sequences.list(run.budget(), value)) {
      Object part = attribute == null ? item : SelectFilters.attribute(run, item, attribute);
      String text = Text.str(run.budget(), part);
      run.budget().spend((long) text.length() + separator.length());
      out.append(between).append(text);
      between = separator;
    }
    return out.toString();
  }
}
