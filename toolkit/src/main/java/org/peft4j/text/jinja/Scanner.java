package org.peft4j.text.jinja;

import java.math.BigInteger;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The tokens inside a tag or a print statement, up to its end. */
final class Scanner {
  private static final int FLAGS = Pattern.UNICODE_CHARACTER_CLASS;
  private static final Pattern SPACE = Pattern.compile("\\s+");
  private static final Pattern FLOAT =
      Pattern.compile(
          "(?<!\\.)(?:[0-9]+_)*[0-9]+(?:(?:\\.(?:[0-9]+_)*[0-9]+)?[eE][+-]?(?:[0-9]+_)*[0-9]+|\\.(?:[0-9]+_)*[0-9]+)");
  private static final Pattern INTEGER =
      Pattern.compile(
          "0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[0-9a-fA-F])+|[1-9](?:_?[0-9])*|0(?:_?0)*");
  private static final Pattern NAME = Pattern.compile("[\\p{L}\\p{Nl}_][\\w]*", FLAGS);
  private static final Pattern STRING =
      Pattern.compile(
          "'[^'\\\\]*+(?:\\\\.[^'\\\\]*+)*+'|\"[^\"\\\\]*+(?:\\\\.[^\"\\\\]*+)*+\"",
          Pattern.DOTALL);
  private static final Pattern OPERATOR =
      Pattern.compile("//|\\*\\*|==|!=|>=|<=|[-+/*%~\\[\\](){}<>=.:|,;]");

  private final String source;
  private final boolean print;
  private final List<Token> tokens;
  private final Pattern end;
  private final Deque<Character> open = new ArrayDeque<>();
  private int at;
  private int line;

  Scanner(String source, int at, int line, boolean print, List<Token> tokens) {
    this.source = source;
    this.at = at;
    this.line = line;
    this.print = print;
    this.tokens = tokens;
    this.end = Pattern.compile(print ? "-\\}\\}\\s*|\\}\\}" : "\\+%\\}|-%\\}\\s*|%\\}\\n?");
  }

  /** Adds the tokens; returns where the text after the tag begins. */
  int scan() {
    while (at < source.length()) {
      if (take(SPACE) != null) {
        continue;
      }
      if (open.isEmpty() && add(end, print ? Token.Kind.PRINT_END : Token.Kind.BLOCK_END)) {
        return at;
      }
      if (!next()) {
        throw error("unexpected char '%s'".formatted(Character.toString(source.codePointAt(at))));
      }
    }
    throw error("the template ends inside a tag");
  }

  private boolean next() {
    int where = line;
    String text = take(FLOAT);
    if (text != null) {
      tokens.add(new Token(Token.Kind.FLOAT, text, Double.valueOf(text.replace("_", "")), where));
      return true;
    }
    text = take(INTEGER);
    if (text != null) {
      tokens.add(new Token(Token.Kind.INTEGER, text, integer(text.replace("_", "")), where));
      return true;
    }
    if (add(NAME, Token.Kind.NAME)) {
      return true;
    }
    text = take(STRING);
    if (text != null) {
      String value = Escapes.decode(text.substring(1, text.length() - 1));
      tokens.add(new Token(Token.Kind.STRING, value, null, where));
      return true;
    }
    int before = at;
    if (add(OPERATOR, Token.Kind.OPERATOR)) {
      balance(source.charAt(before));
      return true;
    }
    return false;
  }

  private void balance(char c) {
    int kind = "([{".indexOf(c);
    if (kind >= 0) {
      open.push(")]}".charAt(kind));
    } else if (")]}".indexOf(c) >= 0) {
      if (open.isEmpty()) {
        throw error("unexpected '%s'".formatted(c));
      }
      char wanted = open.pop();
      if (wanted != c) {
        throw error("unexpected '%s', expected '%s'".formatted(c, wanted));
      }
    }
  }

  private boolean add(Pattern pattern, Token.Kind kind) {
    int where = line;
    String text = take(pattern);
    if (text != null) {
      tokens.add(new Token(kind, text, null, where));
    }
    return text != null;
  }

  private @org.jspecify.annotations.Nullable String take(Pattern pattern) {
    Matcher matcher =
        pattern.matcher(source).region(at, source.length()).useTransparentBounds(true);
    if (!matcher.lookingAt()) {
      return null;
    }
    at = matcher.end();
    line += (int) matcher.group().chars().filter(c -> c == '\n').count();
    return matcher.group();
  }

  private static Object integer(String digits) {
    if (digits.length() > 1000) {
      throw TemplateException.of("a number of %d digits", digits.length());
    }
    String prefix =
        digits.length() > 2 ? digits.substring(0, 2).toLowerCase(java.util.Locale.ROOT) : "";
    return Numbers.shrink(
        switch (prefix) {
          case "0x" -> new BigInteger(digits.substring(2), 16);
          case "0o" -> new BigInteger(digits.substring(2), 8);
          case "0b" -> new BigInteger(digits.substring(2), 2);
          default -> new BigInteger(digits);
        });
  }

  private TemplateException error(String reason) {
    return TemplateException.of("%s", reason).on(line);
  }
}
