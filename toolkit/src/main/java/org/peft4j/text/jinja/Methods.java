package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** {@code value.name}: methods of strings, lists and dictionaries that change nothing. */
final class Methods {
  private static final Set<String> CHANGING =
      Set.of(
          "append",
          "extend",
          "insert",
          "remove",
          "pop",
          "popitem",
          "clear",
          "update",
          "setdefault",
          "sort",
          "reverse",
          "fromkeys");

  private Methods() {}

  /** The method bound to its value, or null when the type has none of that name. */
  static @Nullable Object of(@Nullable Object value, String name) {
    if (value instanceof String s) {
      StringMethods.Method method = StringMethods.of(name);
      return method == null
          ? null
          : new Bound(
              name,
              (run, arguments) -> {
                run.budget().spend(s.length() + 1L);
                return method.call(run, s, arguments);
              });
    }
    boolean map = value instanceof Map;
    if ((map || value instanceof List) && CHANGING.contains(name)) {
      return new Undefined(
          "access to attribute '%s' of '%s' object is unsafe: a template changes no values"
              .formatted(name, Types.nameOf(value)));
    }
    Callable method =
        value instanceof Map<?, ?> m
            ? ofMap(m, name)
            : value instanceof List || value instanceof Tuple ? ofList(value, name) : null;
    return method == null ? null : new Bound(name, method);
  }

  private static @Nullable Callable ofMap(Map<?, ?> map, String name) {
    return switch (name) {
      case "get" ->
          (run, a) -> {
            a.require("get", 1, "key", "default");
            Object key = a.get(0, "key", null);
            return Maps.has(map, key) ? Maps.get(map, key) : a.get(1, "default", null);
          };
      case "items" -> (run, a) -> paid(run, Maps.items(map));
      case "keys" -> (run, a) -> paid(run, new ArrayList<Object>(map.keySet()));
      case "values" -> (run, a) -> paid(run, new ArrayList<Object>(map.values()));
      case "copy" ->
          (run, a) -> {
            run.budget().spend(8L * map.size());
            return new LinkedHashMap<Object, Object>(map);
          };
      default -> null;
    };
  }

  private static List<Object> paid(Run run, List<Object> made) {
    run.budget().spend(8L * made.size());
    return made;
  }

  private static @Nullable Callable ofList(Object list, String name) {
    return switch (name) {
      case "index" ->
          (run, a) ->
              index(run.budget(), list, a.require("index", 1, "value").get(0, "value", null));
      case "count" ->
          (run, a) -> {
            Object wanted = a.require("count", 1, "value").get(0, "value", null);
            return Sequences.list(run.budget(), list).stream()
                .filter(item -> Equality.equal(run.budget(), item, wanted))
                .count();
          };
      case "copy" -> (run, a) -> paid(run, new ArrayList<>(Sequences.list(run.budget(), list)));
      default -> null;
    };
  }

  private static long index(Budget budget, Object list, @Nullable Object wanted) {
    List<Object> items = Sequences.list(budget, list);
    for (int i = 0; i < items.size(); i++) {
      if (Equality.equal(budget, items.get(i), wanted)) {
        return i;
      }
    }
    throw TemplateException.of("%s is not in list", Text.repr(budget, wanted));
  }

  /** A method with the value it belongs to. */
  private record Bound(String name, Callable body) implements Callable {
    @Override
    public @Nullable Object call(Run run, Arguments arguments) {
      return body.call(run, arguments);
    }

    @Override
    public String toString() {
      return "<built-in method " + name + ">";
    }
  }
}
