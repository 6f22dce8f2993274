package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Expressions, loosest first: {@code a if b else c}, or, and, not, comparisons, + -, ~, * / // %,
 * **, signs, then filters, tests and calls behind a value.
 */
final class ExpressionParser {
  private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

  private final Cursor cursor;
  private final List<String> mentioned = new ArrayList<>();

  ExpressionParser(Cursor cursor) {
    this.cursor = cursor;
  }

  /** The names read so far, in order. */
  List<String> mentioned() {
    return mentioned;
  }

  Expression expression() {
    cursor.enter();
    Expression value = or();
    while (cursor.skipName("if")) {
      Expression condition = or();
      Expression otherwise = cursor.skipName("else") ? expression() : null;
      value = new Expression.Conditional(condition, value, otherwise);
    }
    cursor.leave();
    return value;
  }

  /** One expression, or several with commas between, which make a tuple. */
  Expression tuple(boolean conditional) {
    List<Expression> items = new ArrayList<>();
    boolean commas = false;
    while (!endsTuple() || items.isEmpty()) {
      if (endsTuple()) {
        throw TemplateException.of("Expected an expression, got %s", cursor.peek().describe());
      }
      items.add(conditional ? expression() : or());
      if (!cursor.skipOperator(",")) {
        break;
      }
      commas = true;
    }
    return commas ? new Expression.Items(items, true) : items.get(0);
  }

  private boolean endsTuple() {
    Token token = cursor.peek();
    return switch (token.kind()) {
      case PRINT_END, BLOCK_END, END -> true;
      default -> token.isOperator(")") || token.isName("recursive");
    };
  }

  private Expression or() {
    Expression left = and();
    while (cursor.skipName("or")) {
      left = new Operation.Logic(false, left, and());
    }
    return left;
  }

  private Expression and() {
    Expression left = not();
    while (cursor.skipName("and")) {
      left = new Operation.Logic(true, left, not());
    }
    return left;
  }

  private Expression not() {
    if (cursor.skipName("not")) {
      cursor.enter();
      Expression of = not();
      cursor.leave();
      return new Operation.Not(of);
    }
    return comparison();
  }

  private Expression comparison() {
    Expression first = sum();
    List<String> operators = new ArrayList<>();
    List<Expression> others = new ArrayList<>();
    while (true) {
      Token token = cursor.peek();
      if (token.is(Token.Kind.OPERATOR) && COMPARISONS.contains(token.text())) {
        operators.add(cursor.next().text());
      } else if (cursor.skipName("in")) {
        operators.add("in");
      } else if (token.isName("not") && cursor.peek(1).isName("in")) {
        cursor.next();
        cursor.next();
        operators.add("not in");
      } else {
        break;
      }
      others.add(sum());
    }
    return others.isEmpty() ? first : new Operation.Comparison(first, operators, others);
  }

  private Expression sum() {
    Expression left = concat();
    while (cursor.peek().isOperator("+") || cursor.peek().isOperator("-")) {
      left = new Operation.Arithmetic(cursor.next().text(), left, concat());
    }
    return left;
  }

  private Expression concat() {
    Expression first = product();
    if (!cursor.peek().isOperator("~")) {
      return first;
    }
    List<Expression> parts = new ArrayList<>(List.of(first));
    while (cursor.skipOperator("~")) {
      parts.add(product());
    }
    return new Operation.Concat(parts);
  }

  private Expression product() {
    Expression left = power();
    while (cursor.peek().is(Token.Kind.OPERATOR)
        && Set.of("*", "/", "//", "%").contains(cursor.peek().text())) {
      left = new Operation.Arithmetic(cursor.next().text(), left, power());
    }
    return left;
  }

  private Expression power() {
    Expression left = unary(true);
    while (cursor.skipOperator("**")) {
      left = new Operation.Arithmetic("**", left, unary(true));
    }
    return left;
  }

  private Expression unary(boolean filters) {
    cursor.enter();
    Expression value;
    if (cursor.peek().isOperator("-") || cursor.peek().isOperator("+")) {
      value = new Operation.Sign(cursor.next().text().equals("-"), unary(false));
    } else {
      value = primary();
    }
    value = postfix(value);
    cursor.leave();
    return filters ? filtersAndTests(value) : value;
  }

  private Expression primary() {
    Token token = cursor.peek();
    switch (token.kind()) {
      case NAME -> {
        cursor.next();
        return switch (token.text()) {
          case "true", "True" -> new Expression.Constant(true);
          case "false", "False" -> new Expression.Constant(false);
          case "none", "None" -> new Expression.Constant(null);
          default -> {
            mentioned.add(token.text());
            yield new Expression.Name(token.text());
          }
        };
      }
      case STRING -> {
        StringBuilder text = new StringBuilder();
        while (cursor.peek().is(Token.Kind.STRING)) {
          text.append(cursor.next().text());
        }
        return new Expression.Constant(text.toString());
      }
      case INTEGER, FLOAT -> {
        return new Expression.Constant(cursor.next().value());
      }
      default -> {
        if (cursor.skipOperator("(")) {
          Expression inside =
              cursor.peek().isOperator(")") ? new Expression.Items(List.of(), true) : tuple(true);
          cursor.expectOperator(")");
          return inside;
        } else if (cursor.skipOperator("[")) {
          return new Expression.Items(list(), false);
        } else if (cursor.skipOperator("{")) {
          return dictionary();
        }
        throw TemplateException.of("Expected an expression, got %s", token.describe());
      }
    }
  }

  private List<Expression> list() {
    List<Expression> items = new ArrayList<>();
    while (!cursor.peek().isOperator("]")) {
      if (!items.isEmpty()) {
        cursor.expectOperator(",");
        if (cursor.peek().isOperator("]")) {
          break;
        }
      }
      items.add(expression());
    }
    cursor.expectOperator("]");
    return items;
  }

  private Expression dictionary() {
    List<Expression> keys = new ArrayList<>();
    List<Expression> values = new ArrayList<>();
    while (!cursor.peek().isOperator("}")) {
      if (!keys.isEmpty()) {
        cursor.expectOperator(",");
        if (cursor.peek().isOperator("}")) {
          break;
        }
      }
      keys.add(expression());
      cursor.expectOperator(":");
      values.add(expression());
    }
    cursor.expectOperator("}");
    return new Expression.Dictionary(keys, values);
  }

  private Expression postfix(Expression of) {
    Expression value = of;
    while (true) {
      if (cursor.skipOperator(".")) {
        Token token = cursor.next();
        value =
            switch (token.kind()) {
              case NAME -> new Expression.Attribute(value, token.text());
              case INTEGER -> new Expression.Item(value, new Expression.Constant(token.value()));
              default -> throw TemplateException.of("expected name or number after '.'");
            };
      } else if (cursor.skipOperator("[")) {
        value = subscript(value);
      } else if (cursor.peek().isOperator("(")) {
        value = new Call(value, given());
      } else {
        return value;
      }
    }
  }

  private Expression subscript(Expression of) {
    Expression start = cursor.peek().isOperator(":") ? null : expression();
    if (start != null && !cursor.peek().isOperator(":")) {
      cursor.expectOperator("]");
      return new Expression.Item(of, start);
    }
    cursor.expectOperator(":");
    Expression stop = bound();
    Expression step = cursor.skipOperator(":") ? bound() : null;
    cursor.expectOperator("]");
    return new Expression.Slice(of, start, stop, step);
  }

  private @Nullable Expression bound() {
    return cursor.peek().isOperator(":") || cursor.peek().isOperator("]") ? null : expression();
  }

  private Expression filtersAndTests(Expression of) {
    Expression value = of;
    while (true) {
      if (cursor.peek().isOperator("|")) {
        value = filters(value);
      } else if (cursor.skipName("is")) {
        value = test(value);
      } else if (cursor.peek().isOperator("(")) {
        value = new Call(value, given());
      } else {
        return value;
      }
    }
  }

  /** {@code | a | b(c)} behind a value. */
  Expression filters(Expression of) {
    Expression value = of;
    while (cursor.skipOperator("|")) {
      value = filter(value);
    }
    return value;
  }

  Expression filter(Expression of) {
    Filters.Filter filter = Filters.named(dotted());
    return new Call.Filtered(of, filter, cursor.peek().isOperator("(") ? given() : Call.Given.NONE);
  }

  private String dotted() {
    StringBuilder name = new StringBuilder(cursor.name());
    while (cursor.skipOperator(".")) {
      name.append('.').append(cursor.name());
    }
    return name.toString();
  }

  private Expression test(Expression of) {
    boolean negated = cursor.skipName("not");
    ValueTests.ValueTest test = ValueTests.named(dotted());
    Call.Given given = Call.Given.NONE;
    if (cursor.peek().isOperator("(")) {
      given = given();
    } else if (startsOperand(cursor.peek())) {
      given = new Call.Given(List.of(postfix(primary())), Map.of());
    }
    Expression tested = new Call.Tested(of, test, given);
    return negated ? new Operation.Not(tested) : tested;
  }

  private static boolean startsOperand(Token token) {
    return switch (token.kind()) {
      case NAME -> !Set.of("else", "or", "and", "is").contains(token.text());
      case STRING, INTEGER, FLOAT -> true;
      default -> token.isOperator("[") || token.isOperator("{");
    };
  }

  Call.Given given() {
    cursor.expectOperator("(");
    List<Expression> positional = new ArrayList<>();
    Map<String, Expression> named = new LinkedHashMap<>();
    boolean first = true;
    while (!cursor.peek().isOperator(")")) {
      if (!first) {
        cursor.expectOperator(",");
        if (cursor.peek().isOperator(")")) {
          break;
        }
      }
      first = false;
      if (cursor.peek().is(Token.Kind.NAME) && cursor.peek(1).isOperator("=")) {
        String name = cursor.name();
        cursor.next();
        named.put(name, expression());
      } else if (cursor.peek().isOperator("*") || cursor.peek().isOperator("**")) {
        throw TemplateException.of("* and ** in calls are not supported");
      } else if (named.isEmpty()) {
        positional.add(expression());
      } else {
        throw TemplateException.of("an argument without a name after one with a name");
      }
    }
    cursor.expectOperator(")");
    return new Call.Given(positional, named);
  }
}
