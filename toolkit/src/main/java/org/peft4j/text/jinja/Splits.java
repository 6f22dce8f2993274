package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Python's {@code str.split} and its relatives. */
final class Splits {
  private Splits() {}

  static List<Object> split(Budget budget, String s, Arguments a, boolean fromRight) {
    a.require("split", 0, "sep", "maxsplit");
    int most = a.integer(1, "maxsplit", -1);
    most = most < 0 ? Integer.MAX_VALUE : most;
    budget.spend(8L * s.length());
    if (a.get(0, "sep", null) == null) {
      return atSpaces(s, most, fromRight);
    }
    String separator = a.text(0, "sep", "");
    if (separator.isEmpty()) {
      throw TemplateException.of("empty separator");
    }
    List<Object> out = new ArrayList<>();
    if (fromRight) {
      int to = s.length();
      for (int at;
          out.size() < most && (at = s.lastIndexOf(separator, to - separator.length())) >= 0;
          to = at) {
        out.add(s.substring(at + separator.length(), to));
        if (at == 0) {
          to = 0;
          break;
        }
      }
      out.add(s.substring(0, to));
      Collections.reverse(out);
      return out;
    }
    int from = 0;
    for (int at; out.size() < most && (at = s.indexOf(separator, from)) >= 0; ) {
      out.add(s.substring(from, at));
      from = at + separator.length();
    }
    out.add(s.substring(from));
    return out;
  }

  /** At runs of whitespace; none at the ends. */
  private static List<Object> atSpaces(String s, int most, boolean fromRight) {
    List<Object> out = new ArrayList<>();
    String rest = CodePoints.strip(s, !fromRight, fromRight, "");
    while (!rest.isEmpty() && out.size() < most) {
      int end = fromRight ? wordStart(rest) : wordEnd(rest);
      out.add(fromRight ? rest.substring(end) : rest.substring(0, end));
      rest = fromRight ? rest.substring(0, end) : rest.substring(end);
      rest = CodePoints.strip(rest, !fromRight, fromRight, "");
    }
    if (!rest.isEmpty()) {
      out.add(rest);
    }
    if (fromRight) {
      Collections.reverse(out);
    }
    return out;
  }

  private static int wordEnd(String s) {
    int end = 0;
    while (end < s.length() && !CodePoints.isSpace(s.codePointAt(end))) {
      end += Character.charCount(s.codePointAt(end));
    }
    return end;
  }

  private static int wordStart(String s) {
    int start = s.length();
    while (start > 0 && !CodePoints.isSpace(s.codePointBefore(start))) {
      start -= Character.charCount(s.codePointBefore(start));
    }
    return start;
  }

  static Tuple partition(String s, Arguments a, boolean fromRight) {
    String separator = a.require("partition", 1, "sep").text(0, "sep", "");
    if (separator.isEmpty()) {
      throw TemplateException.of("empty separator");
    }
    int at = fromRight ? s.lastIndexOf(separator) : s.indexOf(separator);
    if (at < 0) {
      return fromRight ? Tuple.of("", "", s) : Tuple.of(s, "", "");
    }
    return Tuple.of(s.substring(0, at), separator, s.substring(at + separator.length()));
  }
}
