package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Something with a value. */
interface Expression {
  @Nullable Object value(Scope scope);

  /** A number, a string, true, false, none. */
  record Constant(@Nullable Object constant) implements Expression {
    @Override
    public @Nullable Object value(Scope scope) {
      return constant;
    }
  }

  /** A name. */
  record Name(String name) implements Expression {
    @Override
    public @Nullable Object value(Scope scope) {
      return scope.get(name);
    }
  }

  /** {@code [a, b]}, or {@code (a, b)}. */
  record Items(List<Expression> items, boolean tuple) implements Expression {
    @Override
    public Object value(Scope scope) {
      scope.budget().spend(8L * items.size());
      List<Object> out = new ArrayList<>(items.size());
      items.forEach(item -> out.add(item.value(scope)));
      return tuple ? new Tuple(out) : out;
    }
  }

  /** {@code {'a': 1}}. */
  record Dictionary(List<Expression> keys, List<Expression> values) implements Expression {
    @Override
    public Object value(Scope scope) {
      scope.budget().spend(16L * keys.size());
      Map<Object, Object> out = new LinkedHashMap<>();
      for (int i = 0; i < keys.size(); i++) {
        Maps.put(out, keys.get(i).value(scope), values.get(i).value(scope));
      }
      return out;
    }
  }

  /** {@code of.name}. */
  record Attribute(Expression of, String name) implements Expression {
    @Override
    public @Nullable Object value(Scope scope) {
      return Members.attribute(scope.budget(), of.value(scope), name);
    }
  }

  /** {@code of[key]}. */
  record Item(Expression of, Expression key) implements Expression {
    @Override
    public @Nullable Object value(Scope scope) {
      return Members.item(scope.budget(), of.value(scope), key.value(scope));
    }
  }

  /** {@code of[start:stop:step]}. */
  record Slice(
      Expression of,
      @Nullable Expression start,
      @Nullable Expression stop,
      @Nullable Expression step)
      implements Expression {
    @Override
    public Object value(Scope scope) {
      return Sequences.slice(
          scope.budget(),
          of.value(scope),
          part(start, scope),
          part(stop, scope),
          part(step, scope));
    }

    private static @Nullable Object part(@Nullable Expression part, Scope scope) {
      return part == null ? null : part.value(scope);
    }
  }

  /** {@code then if condition else otherwise}. */
  record Conditional(Expression condition, Expression then, @Nullable Expression otherwise)
      implements Expression {
    @Override
    public @Nullable Object value(Scope scope) {
      if (Types.truth(condition.value(scope))) {
        return then.value(scope);
      }
      return otherwise == null
          ? new Undefined(
              "the inline if-expression evaluated to false and no else section was defined")
          : otherwise.value(scope);
    }
  }
}
