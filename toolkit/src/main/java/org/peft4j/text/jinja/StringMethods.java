package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** Python's methods of {@code str}, as far as templates use them. */
final class StringMethods {
  /** A method: the string it is called on, and the arguments. */
  interface Method {
    @Nullable Object call(Run run, String self, Arguments arguments);
  }

  private static final Map<String, Method> ALL = new HashMap<>();

  static {
    ALL.put("upper", (run, s, a) -> s.toUpperCase(Locale.ROOT));
    ALL.put("lower", (run, s, a) -> s.toLowerCase(Locale.ROOT));
    ALL.put("casefold", (run, s, a) -> s.toLowerCase(Locale.ROOT));
    ALL.put("title", (run, s, a) -> title(s));
    ALL.put("capitalize", (run, s, a) -> capitalize(s));
    ALL.put("strip", (run, s, a) -> strip("strip", s, a, true, true));
    ALL.put("lstrip", (run, s, a) -> strip("lstrip", s, a, true, false));
    ALL.put("rstrip", (run, s, a) -> strip("rstrip", s, a, false, true));
    ALL.put("split", (run, s, a) -> Splits.split(run.budget(), s, a, false));
    ALL.put("rsplit", (run, s, a) -> Splits.split(run.budget(), s, a, true));
    ALL.put(
        "splitlines",
        (run, s, a) -> new ArrayList<Object>(CodePoints.lines(s, a.flag(0, "keepends", false))));
    ALL.put("partition", (run, s, a) -> Splits.partition(s, a, false));
    ALL.put("rpartition", (run, s, a) -> Splits.partition(s, a, true));
    ALL.put("startswith", (run, s, a) -> affix(run, s, a, true));
    ALL.put("endswith", (run, s, a) -> affix(run, s, a, false));
    ALL.put(
        "removeprefix", (run, s, a) -> s.startsWith(only(a)) ? s.substring(only(a).length()) : s);
    ALL.put(
        "removesuffix",
        (run, s, a) -> s.endsWith(only(a)) ? s.substring(0, s.length() - only(a).length()) : s);
    ALL.put("replace", (run, s, a) -> replace(run.budget(), s, a));
    ALL.put(
        "join",
        (run, s, a) ->
            join(run.budget(), s, a.require("join", 1, "iterable").get(0, "iterable", null)));
    ALL.put("find", (run, s, a) -> point(s, s.indexOf(only(a))));
    ALL.put("rfind", (run, s, a) -> point(s, s.lastIndexOf(only(a))));
    ALL.put("index", (run, s, a) -> found(point(s, s.indexOf(only(a)))));
    ALL.put("rindex", (run, s, a) -> found(point(s, s.lastIndexOf(only(a)))));
    ALL.put("count", (run, s, a) -> count(s, only(a)));
    ALL.put("zfill", (run, s, a) -> zeros(run.budget(), s, a.integer(0, "width", 0)));
    ALL.put("ljust", (run, s, a) -> pad(run.budget(), s, a, 0));
    ALL.put("rjust", (run, s, a) -> pad(run.budget(), s, a, 1));
    ALL.put("format", (run, s, a) -> Braces.format(run.budget(), s, a));
    ALL.put("isalpha", (run, s, a) -> every(s, Character::isLetter));
    ALL.put("isdigit", (run, s, a) -> every(s, Character::isDigit));
    ALL.put("isnumeric", (run, s, a) -> every(s, Character::isDigit));
    ALL.put("isalnum", (run, s, a) -> every(s, Character::isLetterOrDigit));
    ALL.put("isspace", (run, s, a) -> every(s, CodePoints::isSpace));
    ALL.put("isupper", (run, s, a) -> isUpper(s));
    ALL.put("islower", (run, s, a) -> isLower(s));
  }

  private StringMethods() {}

  static @Nullable Method of(String name) {
    return ALL.get(name);
  }

  private static String only(Arguments arguments) {
    return arguments.require("this method", 1, "text").text(0, "text", "");
  }

  private static String strip(String name, String s, Arguments a, boolean left, boolean right) {
    return CodePoints.strip(s, left, right, a.require(name, 0, "chars").text(0, "chars", ""));
  }

  static String capitalize(String s) {
    if (s.isEmpty()) {
      return s;
    }
    int first = s.offsetByCodePoints(0, 1);
    return titleCase(s.codePointAt(0)) + s.substring(first).toLowerCase(Locale.ROOT);
  }

  private static String titleCase(int c) {
    String upper = Character.toString(c).toUpperCase(Locale.ROOT);
    if (upper.length() > 1 && upper.codePointCount(0, upper.length()) > 1) {
      return upper.substring(0, 1) + upper.substring(1).toLowerCase(Locale.ROOT);
    }
    return Character.toString(Character.toTitleCase(c));
  }

  private static String title(String s) {
    StringBuilder out = new StringBuilder();
    boolean inside = false;
    for (int c : s.codePoints().toArray()) {
      boolean cased = Character.isLetter(c);
      out.append(inside ? Character.toString(c).toLowerCase(Locale.ROOT) : titleCase(c));
      inside = cased;
    }
    return out.toString();
  }

  private static boolean affix(Run run, String s, Arguments a, boolean start) {
    a.require(start ? "startswith" : "endswith", 1, "prefix", "start");
    Object affix = Undefined.refuse(a.get(0, "prefix", null));
    String text =
        a.has(1, "start")
            ? s.substring(
                Math.min(
                    s.length(),
                    CodePoints.offset(
                        s, Math.min(CodePoints.length(s), Math.max(0, a.integer(1, "start", 0))))))
            : s;
    List<Object> options =
        affix instanceof Tuple t ? t.items() : java.util.Collections.singletonList(affix);
    for (Object option : options) {
      if (!(option instanceof String o)) {
        throw TemplateException.of(
            "%s needs a str or a tuple of str, not %s",
            start ? "startswith" : "endswith", Types.nameOf(option));
      }
      run.budget().spend(o.length());
      if (start ? text.startsWith(o) : text.endsWith(o)) {
        return true;
      }
    }
    return false;
  }

  static String replace(Budget budget, String s, Arguments a) {
    a.require("replace", 2, "old", "new", "count");
    String old = a.text(0, "old", "");
    String fresh = a.text(1, "new", "");
    int most = a.integer(2, "count", -1);
    StringBuilder out = new StringBuilder();
    int from = 0;
    for (int done = 0; most < 0 || done < most; done++) {
      int at = s.indexOf(old, old.isEmpty() && done > 0 ? from + 1 : from);
      if (at < 0 || (old.isEmpty() && done > s.length())) {
        break;
      }
      budget.spend(1L + fresh.length() + at - from);
      out.append(s, from, at).append(fresh);
      from = at + old.length();
    }
    return out.append(s, from, s.length()).toString();
  }

  static String join(Budget budget, String separator, @Nullable Object items) {
    StringBuilder out = new StringBuilder();
    int index = 0;
    for (Object item : Sequences.list(budget, items)) {
      if (!(item instanceof String s)) {
        throw TemplateException.of(
            "sequence item %d: expected str instance, %s found", index, Types.nameOf(item));
      }
      budget.spend((long) s.length() + separator.length());
      out.append(index++ == 0 ? "" : separator).append(s);
    }
    return out.toString();
  }

  private static long point(String s, int index) {
    return index < 0 ? -1 : s.codePointCount(0, index);
  }

  private static long found(long index) {
    if (index < 0) {
      throw TemplateException.of("substring not found");
    }
    return index;
  }

  private static long count(String s, String part) {
    if (part.isEmpty()) {
      return CodePoints.length(s) + 1L;
    }
    long n = 0;
    for (int at = s.indexOf(part); at >= 0; at = s.indexOf(part, at + part.length())) {
      n++;
    }
    return n;
  }

  private static String zeros(Budget budget, String s, int width) {
    int sign = s.startsWith("-") || s.startsWith("+") ? 1 : 0;
    return s.substring(0, sign)
        + fill(budget, "0", width - CodePoints.length(s))
        + s.substring(sign);
  }

  private static String pad(Budget budget, String s, Arguments a, int left) {
    String padding =
        fill(budget, a.text(1, "fillchar", " "), a.integer(0, "width", 0) - CodePoints.length(s));
    return left == 1 ? padding + s : s + padding;
  }

  private static String fill(Budget budget, String with, int times) {
    budget.spend(Math.max(0L, times) * with.length());
    return with.repeat(Math.max(0, times));
  }

  private static boolean every(String s, IntPredicate holds) {
    return !s.isEmpty() && s.codePoints().allMatch(holds);
  }

  static boolean isUpper(String s) {
    return s.codePoints().anyMatch(Character::isUpperCase)
        && s.codePoints().noneMatch(c -> Character.isLowerCase(c) || Character.isTitleCase(c));
  }

  static boolean isLower(String s) {
    return s.codePoints().anyMatch(Character::isLowerCase)
        && s.codePoints().noneMatch(c -> Character.isUpperCase(c) || Character.isTitleCase(c));
  }
}
