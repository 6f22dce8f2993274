package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.List;

/** Strings as Python counts them: by code points, where Java's chars are halves of some. */
final class CodePoints {
  private CodePoints() {}

  static int length(String s) {
    return s.codePointCount(0, s.length());
  }

  /** The char at which code point {@code index} begins. */
  static int offset(String s, int index) {
    return s.offsetByCodePoints(0, index);
  }

  static List<Object> list(String s) {
    List<Object> out = new ArrayList<>(s.length());
    s.codePoints().forEach(c -> out.add(Character.toString(c)));
    return out;
  }

  static int compare(String a, String b) {
    int[] x = a.codePoints().toArray();
    int[] y = b.codePoints().toArray();
    return java.util.Arrays.compare(x, y);
  }

  /** Python's {@code str.isspace} of one character. */
  static boolean isSpace(int c) {
    return Character.isWhitespace(c) || c == 0x85 || c == 0xA0 || c == 0x2007 || c == 0x202F;
  }

  static String strip(String s, boolean left, boolean right, String chars) {
    int from = 0;
    int to = s.length();
    while (left && from < to && among(s.codePointAt(from), chars)) {
      from += Character.charCount(s.codePointAt(from));
    }
    while (right && from < to && among(s.codePointBefore(to), chars)) {
      to -= Character.charCount(s.codePointBefore(to));
    }
    return s.substring(from, to);
  }

  private static boolean among(int c, String chars) {
    return chars.isEmpty() ? isSpace(c) : chars.indexOf(c) >= 0;
  }

  /** Python's {@code str.splitlines}. */
  static List<String> lines(String s, boolean keepEnds) {
    List<String> out = new ArrayList<>();
    int from = 0;
    for (int i = 0; i < s.length(); i++) {
      char c = s.charAt(i);
      if ("\n\r\u000b\f\u001c\u001d\u001e\u0085\u2028\u2029".indexOf(c) < 0) {
        continue;
      }
      int end = i;
      if (c == '\r' && i + 1 < s.length() && s.charAt(i + 1) == '\n') {
        i++;
      }
      out.add(s.substring(from, keepEnds ? i + 1 : end));
      from = i + 1;
    }
    if (from < s.length()) {
      out.add(s.substring(from));
    }
    return out;
  }
}
