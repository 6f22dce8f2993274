package org.peft4j.text.jinja;

import java.util.List;

/** The parser's place among the tokens. */
final class Cursor {
  private static final int DEEPEST = 100;

  private final List<Token> tokens;
  private int at;
  private int depth;

  Cursor(List<Token> tokens) {
    this.tokens = tokens;
  }

  Token peek() {
    return tokens.get(at);
  }

  Token peek(int ahead) {
    return tokens.get(Math.min(at + ahead, tokens.size() - 1));
  }

  Token next() {
    Token token = tokens.get(at);
    if (at < tokens.size() - 1) {
      at++;
    }
    return token;
  }

  boolean skipOperator(String operator) {
    boolean found = peek().isOperator(operator);
    if (found) {
      next();
    }
    return found;
  }

  boolean skipName(String name) {
    boolean found = peek().isName(name);
    if (found) {
      next();
    }
    return found;
  }

  void expectOperator(String operator) {
    if (!skipOperator(operator)) {
      throw TemplateException.of("expected '%s', found %s", operator, peek().describe());
    }
  }

  void expectName(String name) {
    if (!skipName(name)) {
      throw TemplateException.of("expected '%s', found %s", name, peek().describe());
    }
  }

  String name() {
    if (!peek().is(Token.Kind.NAME)) {
      throw TemplateException.of("expected a name, found %s", peek().describe());
    }
    return next().text();
  }

  void expect(Token.Kind kind) {
    if (!peek().is(kind)) {
      throw TemplateException.of(
          "expected %s, found %s", new Token(kind, "", null, 0).describe(), peek().describe());
    }
    next();
  }

  void enter() {
    if (++depth > DEEPEST) {
      throw TemplateException.of("nested deeper than %d", DEEPEST);
    }
  }

  void leave() {
    depth--;
  }
}
