package org.peft4j.format;

import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Messages about files that are not what they should be; whatever they quote is cut to length. */
final class Malformed {
  private static final int LONGEST_QUOTE = 160;
  private static final int MOST_PROBLEMS = 20;

  private Malformed() {}

  static IllegalArgumentException of(
      Object file, String what, String expected, Object found, @Nullable String fix) {
    return new IllegalArgumentException(text(file, what, expected, found, fix));
  }

  static String text(
      Object file, String what, String expected, Object found, @Nullable String fix) {
    return file
        + ": "
        + what
        + "\nexpected: "
        + expected
        + "\nfound: "
        + found
        + (fix == null ? "" : "\nfix: " + fix);
  }

  /** All {@code problems} in one exception, one to a line. */
  static IllegalArgumentException all(Object file, String what, List<String> problems, String fix) {
    StringBuilder text = new StringBuilder(file + ": " + what);
    problems.stream().limit(MOST_PROBLEMS).forEach(p -> text.append("\n- ").append(p));
    if (problems.size() > MOST_PROBLEMS) {
      text.append("\n- and ").append(problems.size() - MOST_PROBLEMS).append(" more");
    }
    return new IllegalArgumentException(text + "\nfix: " + fix);
  }

  /** {@code s} as it may stand in a message: control characters escaped, cut to length. */
  static String quote(@Nullable Object s) {
    StringBuilder out = new StringBuilder("\"");
    String text = String.valueOf(s);
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (out.length() > LONGEST_QUOTE) {
        return out + "...\" (" + text.length() + " characters)";
      }
      if (c < ' ' || c == 0x7f || Character.isSurrogate(c)) {
        out.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    return out.append('"').toString();
  }
}
