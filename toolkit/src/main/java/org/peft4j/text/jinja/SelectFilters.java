package org.peft4j.text.jinja;

import java.util.Collections;
import java.util.Iterator;
import java.util.Map;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** {@code map}, {@code select}, {@code reject}, {@code selectattr}, {@code rejectattr}. */
final class SelectFilters {
  private SelectFilters() {}

  static void register(Map<String, Filters.Filter> all) {
    all.put("map", SelectFilters::map);
    all.put("select", (run, value, a) -> select(run, value, a, false, true));
    all.put("reject", (run, value, a) -> select(run, value, a, false, false));
    all.put("selectattr", (run, value, a) -> select(run, value, a, true, true));
    all.put("rejectattr", (run, value, a) -> select(run, value, a, true, false));
  }

  private static Object map(Run run, @Nullable Object value, Arguments a) {
    Iterator<Object> items = items(run, value);
    if (a.positional().isEmpty() && a.named().containsKey("attribute")) {
      a.require("map", 0, "attribute", "default");
      Object path = a.get(0, "attribute", null);
      Object missing = a.named().get("default");
      return Generator.map(
          items,
          item -> {
            Object found = attribute(run, item, path);
            return found instanceof Undefined && missing != null ? missing : found;
          });
    }
    if (!(a.get(0, "filter", null) instanceof String name)) {
      throw TemplateException.of("map requires a filter argument");
    }
    Arguments rest = a.from(1);
    return Generator.map(
        items,
        item -> {
          run.budget().step();
          return Filters.named(name).apply(run, item, rest);
        });
  }

  private static Object select(
      Run run, @Nullable Object value, Arguments a, boolean ofAttribute, boolean wanted) {
    Iterator<Object> items = items(run, value);
    int offset = ofAttribute ? 1 : 0;
    if (a.positional().size() < offset) {
      throw TemplateException.of("Missing parameter for attribute name");
    }
    boolean byTruth = a.positional().size() == offset;
    String test = byTruth ? "" : Text.str(run.budget(), a.positional().get(offset));
    Arguments rest = a.from(offset + 1);
    Predicate<Object> holds =
        item -> {
          run.budget().step();
          Object tested = ofAttribute ? attribute(run, item, a.positional().get(0)) : item;
          return byTruth ? Types.truth(tested) : ValueTests.named(test).holds(run, tested, rest);
        };
    return Generator.filter(items, item -> holds.test(item) == wanted);
  }

  /** Jinja looks at the value no sooner than somebody reads the first element. */
  private static Iterator<Object> items(Run run, @Nullable Object value) {
    if (!Types.truth(value)) {
      return Collections.emptyIterator();
    }
    return new Iterator<>() {
      private @Nullable Iterator<Object> started;

      private Iterator<Object> iterator() {
        if (started == null) {
          started = Sequences.iterator(run.budget(), value);
        }
        return started;
      }

      @Override
      public boolean hasNext() {
        return iterator().hasNext();
      }

      @Override
      public Object next() {
        return iterator().next();
      }
    };
  }

  /** {@code item.a.0.b} for the path {@code a.0.b}. */
  static @Nullable Object attribute(Run run, @Nullable Object item, @Nullable Object path) {
    if (!(path instanceof String names)) {
      return Members.item(run.budget(), item, path);
    }
    Object value = item;
    for (String name : names.split("\\.", -1)) {
      boolean index =
          !name.isEmpty() && name.length() < 10 && name.chars().allMatch(c -> c >= '0' && c <= '9');
      value = Members.item(run.budget(), value, index ? (Object) Long.valueOf(name) : name);
    }
    return value;
  }
}
