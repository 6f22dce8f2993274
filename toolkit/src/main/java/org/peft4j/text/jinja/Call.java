package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code of(arguments)}. */
record Call(Expression of, Given given) implements Expression {
  @Override
  public @Nullable Object value(Scope scope) {
    return call(scope.run(), of.value(scope), given.values(scope));
  }

  static @Nullable Object call(Run run, @Nullable Object function, Arguments arguments) {
    Undefined.refuse(function);
    if (!(function instanceof Callable callable)) {
      throw TemplateException.of("'%s' object is not callable", Types.nameOf(function));
    }
    run.budget().step();
    return callable.call(run, arguments);
  }

  /** Arguments not yet evaluated. */
  record Given(List<Expression> positional, Map<String, Expression> named) {
    static final Given NONE = new Given(List.of(), Map.of());

    Arguments values(Scope scope) {
      if (positional.isEmpty() && named.isEmpty()) {
        return Arguments.NONE;
      }
      List<Object> values = new ArrayList<>(positional.size());
      positional.forEach(p -> values.add(p.value(scope)));
      Map<String, Object> byName = new LinkedHashMap<>();
      named.forEach((name, e) -> byName.put(name, e.value(scope)));
      return new Arguments(values, byName);
    }
  }

  /** {@code of | name(arguments)}. */
  record Filtered(Expression of, Filters.Filter filter, Given given) implements Expression {
    @Override
    public @Nullable Object value(Scope scope) {
      scope.budget().step();
      return filter.apply(scope.run(), of.value(scope), given.values(scope));
    }
  }

  /** {@code of is name(arguments)}. */
  record Tested(Expression of, ValueTests.ValueTest test, Given given) implements Expression {
    @Override
    public Object value(Scope scope) {
      scope.budget().step();
      return test.holds(scope.run(), of.value(scope), given.values(scope));
    }
  }
}
