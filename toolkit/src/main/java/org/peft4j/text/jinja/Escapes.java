package org.peft4j.text.jinja;

/** Python's escapes in string literals; a backslash before any other character stays. */
final class Escapes {
  private static final String SIMPLE = "\\'\"abfnrtv";
  private static final String VALUES = "\\'\"\u0007\b\f\n\r\t\u000b";

  private Escapes() {}

  static String decode(String literal) {
    if (literal.indexOf('\\') < 0) {
      return literal;
    }
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < literal.length(); i++) {
      char c = literal.charAt(i);
      if (c != '\\') {
        out.append(c);
        continue;
      }
      char code = literal.charAt(++i);
      int digits = code == 'x' ? 2 : code == 'u' ? 4 : code == 'U' ? 8 : 0;
      if (SIMPLE.indexOf(code) >= 0) {
        out.append(VALUES.charAt(SIMPLE.indexOf(code)));
      } else if (digits > 0) {
        out.appendCodePoint(hex(literal, i + 1, digits));
        i += digits;
      } else if (code >= '0' && code <= '7') {
        int end = i;
        while (end < Math.min(i + 3, literal.length())
            && literal.charAt(end) >= '0'
            && literal.charAt(end) <= '7') {
          end++;
        }
        out.appendCodePoint(Integer.parseInt(literal.substring(i, end), 8));
        i = end - 1;
      } else if (code == 'N') {
        throw TemplateException.of("the escape \\N{...} is not supported");
      } else if (code != '\n') {
        out.append('\\').append(code);
      }
    }
    return out.toString();
  }

  private static int hex(String literal, int from, int digits) {
    String text = literal.substring(from, Math.min(literal.length(), from + digits));
    if (!text.matches("[0-9a-fA-F]{" + digits + "}")
        || Long.parseLong(text, 16) > Character.MAX_CODE_POINT) {
      throw TemplateException.of("truncated or unknown escape \\%s", text);
    }
    return Integer.parseInt(text, 16);
  }
}
