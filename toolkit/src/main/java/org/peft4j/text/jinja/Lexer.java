package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A template's text as tokens, whitespace control done: {@code -} beside a tag strips, a line feed
 * behind a tag goes (trim_blocks), blanks between the start of a line and a tag go (lstrip_blocks).
 */
final class Lexer {
  private static final Pattern BEGIN = Pattern.compile("\\{(?<kind>[{%#])(?<sign>[-+]?)");
  private static final Pattern RAW = Pattern.compile("\\{%[-+]?\\s*raw\\s*(?:-%\\}\\s*|%\\})");
  private static final Pattern END_RAW =
      Pattern.compile("\\{%(?<sign>[-+]?)\\s*endraw\\s*(?:\\+%\\}|-%\\}\\s*|%\\}\\n?)");
  private static final Pattern END_COMMENT = Pattern.compile("(?:\\+#\\}|-#\\}\\s*|#\\}\\n?)");

  private final String source;
  private final List<Token> tokens = new ArrayList<>();
  private int at;
  private int line = 1;
  private int counted;

  private Lexer(String source) {
    this.source = source;
  }

  /** Line feeds made one kind; one at the end dropped, as Jinja does. */
  static String normalize(String source) {
    String text = source.replace("\r\n", "\n").replace('\r', '\n');
    return text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
  }

  static List<Token> tokens(String normalized) {
    Lexer lexer = new Lexer(normalized);
    lexer.read();
    return lexer.tokens;
  }

  private void read() {
    Matcher begin = BEGIN.matcher(source);
    while (begin.find(at)) {
      boolean print = begin.group("kind").equals("{");
      data(at, begin.start(), begin.group("sign"), print);
      Matcher raw = RAW.matcher(source).region(begin.start(), source.length());
      if (begin.group("kind").equals("#")) {
        at = end(END_COMMENT.matcher(source), begin.end(), "Missing end of comment tag");
      } else if (raw.lookingAt()) {
        Matcher end = END_RAW.matcher(source);
        int from = raw.end();
        at = end(end, from, "Missing end of raw directive");
        data(from, end.start(), end.group("sign"), false);
      } else {
        int number = lineOf(begin.start());
        tokens.add(
            new Token(print ? Token.Kind.PRINT_BEGIN : Token.Kind.BLOCK_BEGIN, "", null, number));
        Scanner scanner = new Scanner(source, begin.end(), number, print, tokens);
        at = scanner.scan();
      }
    }
    data(at, source.length(), "+", true);
    tokens.add(new Token(Token.Kind.END, "", null, lineOf(source.length())));
  }

  private int end(Matcher end, int from, String missing) {
    if (!end.find(from)) {
      throw TemplateException.of(missing).on(lineOf(from));
    }
    return end.end();
  }

  private void data(int from, int to, String sign, boolean print) {
    String text = source.substring(from, to);
    if (sign.equals("-")) {
      text = CodePoints.strip(text, false, true, "");
    } else if (sign.isEmpty() && !print) {
      int start = text.lastIndexOf('\n') + 1;
      boolean startsLine = start > 0 || from == 0 || source.charAt(from - 1) == '\n';
      if (startsLine && CodePoints.strip(text.substring(start), true, false, "").isEmpty()) {
        text = text.substring(0, start);
      }
    }
    if (!text.isEmpty()) {
      tokens.add(new Token(Token.Kind.DATA, text, null, lineOf(from)));
    }
  }

  private int lineOf(int offset) {
    for (; counted < offset; counted++) {
      if (source.charAt(counted) == '\n') {
        line++;
      }
    }
    return line;
  }
}
