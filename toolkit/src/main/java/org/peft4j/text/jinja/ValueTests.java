package org.peft4j.text.jinja;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code value is name}. */
final class ValueTests {
  /** A test: the value, and what stands behind the name. */
  interface ValueTest {
    boolean holds(Run run, @Nullable Object value, Arguments arguments);
  }

  private static final Map<String, ValueTest> ALL = new HashMap<>();

  static {
    ALL.put("defined", (run, v, a) -> !(v instanceof Undefined));
    ALL.put("undefined", (run, v, a) -> v instanceof Undefined);
    ALL.put("none", (run, v, a) -> v == null);
    ALL.put("true", (run, v, a) -> Boolean.TRUE.equals(v));
    ALL.put("false", (run, v, a) -> Boolean.FALSE.equals(v));
    ALL.put("boolean", (run, v, a) -> v instanceof Boolean);
    ALL.put("integer", (run, v, a) -> Numbers.isInteger(v));
    ALL.put("float", (run, v, a) -> v instanceof Double);
    ALL.put("number", (run, v, a) -> Numbers.isNumber(v));
    ALL.put("string", (run, v, a) -> v instanceof String);
    ALL.put("mapping", (run, v, a) -> v instanceof Map);
    ALL.put("iterable", (run, v, a) -> Sequences.isIterable(v));
    ALL.put("sequence", (run, v, a) -> Sequences.isIterable(v) && !(v instanceof Generator));
    ALL.put("callable", (run, v, a) -> v instanceof Callable);
    ALL.put("lower", (run, v, a) -> StringMethods.isLower(Text.str(run.budget(), v)));
    ALL.put("upper", (run, v, a) -> StringMethods.isUpper(Text.str(run.budget(), v)));
    ALL.put("odd", (run, v, a) -> modulo(run, v, 2L).equals(1L));
    ALL.put("even", (run, v, a) -> modulo(run, v, 2L).equals(0L));
    ALL.put("divisibleby", (run, v, a) -> modulo(run, v, only(a)).equals(0L));
    ALL.put("in", (run, v, a) -> Equality.contains(run.budget(), only(a), v));
    ALL.put("sameas", (run, v, a) -> same(v, only(a)));
    ALL.put("filter", (run, v, a) -> v instanceof String name && Filters.has(name));
    ALL.put("test", (run, v, a) -> v instanceof String name && has(name));
    ALL.put("escaped", (run, v, a) -> false);
    for (String name : List.of("eq", "equalto", "==")) {
      ALL.put(name, (run, v, a) -> Equality.equal(run.budget(), v, only(a)));
    }
    for (String name : List.of("ne", "!=")) {
      ALL.put(name, (run, v, a) -> !Equality.equal(run.budget(), v, only(a)));
    }
    for (String name : List.of("gt", "greaterthan", ">")) {
      ALL.put(name, (run, v, a) -> Equality.compare(run.budget(), ">", v, only(a)) > 0);
    }
    for (String name : List.of("lt", "lessthan", "<")) {
      ALL.put(name, (run, v, a) -> Equality.compare(run.budget(), "<", v, only(a)) < 0);
    }
    for (String name : List.of("ge", ">=")) {
      ALL.put(name, (run, v, a) -> Equality.compare(run.budget(), ">=", v, only(a)) >= 0);
    }
    for (String name : List.of("le", "<=")) {
      ALL.put(name, (run, v, a) -> Equality.compare(run.budget(), "<=", v, only(a)) <= 0);
    }
  }

  private ValueTests() {}

  /**
   * Finds a test.
   *
   * @throws TemplateException when there is none of that name
   */
  static ValueTest named(String name) {
    ValueTest test = ALL.get(name);
    if (test == null) {
      throw TemplateException.of("No test named '%s'.", name);
    }
    return test;
  }

  static boolean has(String name) {
    return ALL.containsKey(name);
  }

  private static @Nullable Object only(Arguments a) {
    return a.require("this test", 1, "other").get(0, "other", null);
  }

  private static Object modulo(Run run, @Nullable Object value, @Nullable Object by) {
    return Operators.apply(run.budget(), "%", value, by);
  }

  private static boolean same(@Nullable Object a, @Nullable Object b) {
    boolean scalar = a == null || a instanceof Boolean || a instanceof String || a instanceof Long;
    return scalar ? java.util.Objects.equals(a, b) : a == b;
  }
}
