package org.peft4j.ipynb;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Java or Kotlin code with its comments, literals and words of the language marked. */
final class CodeHtml {
  private static final Pattern PART =
      Pattern.compile(
          "(?<comment>//[^\\n]*|/\\*.*?\\*/)"
              + "|(?<string>\"\"\".*?\"\"\"|\"(?:\\\\.|[^\"\\\\\\n])*\"|'(?:\\\\.|[^'\\\\])')"
              + "|(?<word>\\b(?:var|val|new|for|if|else|return|record|class|interface|static|final"
              + "|void|int|long|double|float|boolean|import|try|catch|while|switch|case|null|true"
              + "|false|fun|in)\\b)"
              + "|(?<number>\\b\\d[\\d_]*(?:\\.\\d+)?(?:[eE][-+]?\\d+)?[LfFdD]?\\b)"
              + "|(?<type>\\b[A-Z]\\w*\\b)",
          Pattern.DOTALL);

  private CodeHtml() {}

  static String of(String code) {
    StringBuilder out = new StringBuilder();
    Matcher m = PART.matcher(code);
    int at = 0;
    while (m.find()) {
      out.append(escaped(code.substring(at, m.start())));
      out.append("<span class=\"").append(kind(m)).append("\">");
      out.append(escaped(m.group())).append("</span>");
      at = m.end();
    }
    return out.append(escaped(code.substring(at))).toString();
  }

  private static String kind(Matcher m) {
    for (String kind : new String[] {"comment", "string", "word", "number"}) {
      if (m.group(kind) != null) {
        return kind;
      }
    }
    return "type";
  }

  static String escaped(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }
}
