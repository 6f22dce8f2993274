package org.peft4j.text.jinja;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Expressions with operators between their parts. */
final class Operation {
  private Operation() {}

  /** {@code + - * / // % **}. */
  record Arithmetic(String operator, Expression left, Expression right) implements Expression {
    @Override
    public Object value(Scope scope) {
      return Operators.apply(scope.budget(), operator, left.value(scope), right.value(scope));
    }
  }

  /** {@code -a}, {@code +a}. */
  record Sign(boolean minus, Expression of) implements Expression {
    @Override
    public Object value(Scope scope) {
      Object value = of.value(scope);
      if (!Numbers.isNumber(value)) {
        Undefined.refuse(value);
        throw TemplateException.of("bad operand type for unary -: '%s'", Types.nameOf(value));
      }
      return minus ? Numbers.negate(value) : Operators.apply(scope.budget(), "+", value, 0L);
    }
  }

  /** {@code a ~ b}: any values, joined as text. */
  record Concat(List<Expression> parts) implements Expression {
    @Override
    public Object value(Scope scope) {
      StringBuilder out = new StringBuilder();
      for (Expression part : parts) {
        out.append(scope.run().paid(Text.str(scope.budget(), part.value(scope))));
      }
      return out.toString();
    }
  }

  /** {@code a and b}, {@code a or b}: the value of the part that decides. */
  record Logic(boolean and, Expression left, Expression right) implements Expression {
    @Override
    public @Nullable Object value(Scope scope) {
      Object value = left.value(scope);
      return Types.truth(value) == and ? right.value(scope) : value;
    }
  }

  /** {@code not a}. */
  record Not(Expression of) implements Expression {
    @Override
    public Object value(Scope scope) {
      return !Types.truth(of.value(scope));
    }
  }

  /** {@code a < b <= c}: every neighbour pair holds. */
  record Comparison(Expression first, List<String> operators, List<Expression> others)
      implements Expression {
    @Override
    public Object value(Scope scope) {
      Object left = first.value(scope);
      for (int i = 0; i < operators.size(); i++) {
        Object right = others.get(i).value(scope);
        if (!holds(scope.budget(), operators.get(i), left, right)) {
          return false;
        }
        left = right;
      }
      return true;
    }

    private static boolean holds(
        Budget budget, String operator, @Nullable Object a, @Nullable Object b) {
      return switch (operator) {
        case "==" -> Equality.equal(budget, a, b);
        case "!=" -> !Equality.equal(budget, a, b);
        case "in" -> Equality.contains(budget, b, a);
        case "not in" -> !Equality.contains(budget, b, a);
        case "<" -> Equality.compare(budget, operator, a, b) < 0;
        case "<=" -> Equality.compare(budget, operator, a, b) <= 0;
        case ">" -> Equality.compare(budget, operator, a, b) > 0;
        default -> Equality.compare(budget, operator, a, b) >= 0;
      };
    }
  }
}
