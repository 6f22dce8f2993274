package org.peft4j.text.jinja;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The values in the parentheses of a call. */
record Arguments(List<Object> positional, Map<String, Object> named) {
  static final Arguments NONE = new Arguments(List.of(), Map.of());

  /** Those from the second on: what a filter given to {@code map} is called with. */
  Arguments from(int index) {
    return new Arguments(
        index >= positional.size() ? List.of() : positional.subList(index, positional.size()),
        named);
  }

  /** Checks them against the names of the parameters. */
  Arguments require(String function, int least, String... parameters) {
    if (positional.size() > parameters.length) {
      throw TemplateException.of(
          "%s takes at most %d arguments, found %d",
          function, parameters.length, positional.size());
    }
    for (String name : named.keySet()) {
      int at = List.of(parameters).indexOf(name);
      if (at < 0 || at < positional.size()) {
        throw TemplateException.of(
            "%s takes no keyword argument '%s'\nexpected: %s", function, name, List.of(parameters));
      }
    }
    for (int i = positional.size(); i < least; i++) {
      if (!named.containsKey(parameters[i])) {
        throw TemplateException.of("%s needs its argument '%s'", function, parameters[i]);
      }
    }
    return this;
  }

  boolean has(int index, String name) {
    return index < positional.size() || named.containsKey(name);
  }

  @Nullable Object get(int index, String name, @Nullable Object otherwise) {
    if (index < positional.size()) {
      return positional.get(index);
    }
    return named.containsKey(name) ? named.get(name) : otherwise;
  }

  /** A text; null counts as not given. */
  String text(int index, String name, String otherwise) {
    Object value = get(index, name, null);
    if (value == null) {
      return otherwise;
    }
    if (value instanceof String s) {
      return s;
    }
    Undefined.refuse(value);
    throw TemplateException.of("%s must be str, not %s", name, Types.nameOf(value));
  }

  int integer(int index, String name, int otherwise) {
    Object value = get(index, name, null);
    return value == null ? otherwise : Numbers.index(Undefined.refuse(value), name);
  }

  boolean flag(int index, String name, boolean otherwise) {
    return has(index, name) ? Types.truth(get(index, name, null)) : otherwise;
  }
}
