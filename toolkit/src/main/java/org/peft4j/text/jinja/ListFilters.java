package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Filters of sequences and dictionaries. */
final class ListFilters {
  private ListFilters() {}

  static void register(Map<String, Filters.Filter> all) {
    all.put("length", (run, value, a) -> Sequences.length(value));
    all.put("count", (run, value, a) -> Sequences.length(value));
    all.put("first", (run, value, a) -> first(run, value));
    all.put("last", (run, value, a) -> last(run, value));
    all.put("list", (run, value, a) -> new ArrayList<>(Sequences.list(run.budget(), value)));
    all.put("items", (run, value, a) -> items(run, value));
    all.put("reverse", (run, value, a) -> reverse(run, value));
    all.put("sort", ListFilters::sort);
    all.put("dictsort", ListFilters::dictsort);
    all.put("unique", ListFilters::unique);
    all.put("batch", ListFilters::batch);
    all.put("default", ListFilters::otherwise);
    all.put("d", ListFilters::otherwise);
    all.put(
        "attr", (run, value, a) -> attr(value, a.require("attr", 1, "name").text(0, "name", "")));
  }

  private static @Nullable Object first(Run run, @Nullable Object value) {
    Iterator<Object> items = Sequences.iterator(run.budget(), value);
    return items.hasNext() ? items.next() : new Undefined("No first item, sequence was empty.");
  }

  private static @Nullable Object last(Run run, @Nullable Object value) {
    if (value instanceof Generator) {
      throw TemplateException.of("'generator' object is not reversible");
    }
    List<Object> items = Sequences.list(run.budget(), value);
    return items.isEmpty()
        ? new Undefined("No last item, sequence was empty.")
        : items.get(items.size() - 1);
  }

  private static Object items(Run run, @Nullable Object value) {
    if (value instanceof Undefined) {
      return new Generator(Collections.emptyIterator());
    }
    if (!(value instanceof Map<?, ?> map)) {
      throw TemplateException.of("Can only get item pairs from a mapping.");
    }
    run.budget().spend(8L * map.size());
    return new Generator(Maps.items(map).iterator());
  }

  private static Object reverse(Run run, @Nullable Object value) {
    if (value instanceof String s) {
      run.budget().spend(s.length());
      return new StringBuilder(s).reverse().toString();
    }
    List<Object> out = new ArrayList<>(Sequences.list(run.budget(), value));
    run.budget().spend(8L * out.size());
    Collections.reverse(out);
    return new Generator(out.iterator());
  }

  private static Object sort(Run run, @Nullable Object value, Arguments a) {
    a.require("sort", 0, "reverse", "case_sensitive", "attribute");
    Object attribute = a.get(2, "attribute", null);
    boolean exact = a.flag(1, "case_sensitive", false);
    Comparator<Object> order =
        (x, y) ->
            Equality.compare(
                run.budget(),
                "<",
                sortKey(run, x, attribute, exact),
                sortKey(run, y, attribute, exact));
    List<Object> out = new ArrayList<>(Sequences.list(run.budget(), value));
    run.budget().spend(8L * out.size());
    out.sort(a.flag(0, "reverse", false) ? order.reversed() : order);
    return out;
  }

  private static @Nullable Object sortKey(
      Run run, @Nullable Object item, @Nullable Object attribute, boolean exact) {
    Object key = attribute == null ? item : SelectFilters.attribute(run, item, attribute);
    return key instanceof String s && !exact ? run.paid(s.toLowerCase(Locale.ROOT)) : key;
  }

  private static Object dictsort(Run run, @Nullable Object value, Arguments a) {
    a.require("dictsort", 0, "case_sensitive", "by", "reverse");
    if (!(value instanceof Map<?, ?> map)) {
      throw TemplateException.of("dictsort needs a dict, not %s", Types.nameOf(value));
    }
    int part = a.text(1, "by", "key").equals("value") ? 1 : 0;
    boolean exact = a.flag(0, "case_sensitive", false);
    Comparator<Object> order =
        (x, y) ->
            Equality.compare(
                run.budget(),
                "<",
                sortKey(run, ((Tuple) x).items().get(part), null, exact),
                sortKey(run, ((Tuple) y).items().get(part), null, exact));
    List<Object> out = Maps.items(map);
    out.sort(a.flag(2, "reverse", false) ? order.reversed() : order);
    return out;
  }

  private static Object unique(Run run, @Nullable Object value, Arguments a) {
    a.require("unique", 0, "case_sensitive", "attribute");
    boolean exact = a.flag(0, "case_sensitive", false);
    Object attribute = a.get(1, "attribute", null);
    List<Object> seen = new ArrayList<>();
    List<Object> out = new ArrayList<>();
    for (Object item : Sequences.list(run.budget(), value)) {
      Object key = sortKey(run, item, attribute, exact);
      if (seen.stream().noneMatch(other -> Equality.equal(run.budget(), other, key))) {
        seen.add(key);
        out.add(item);
      }
    }
    return new Generator(out.iterator());
  }

  private static Object batch(Run run, @Nullable Object value, Arguments a) {
    a.require("batch", 1, "linecount", "fill_with");
    int size = Math.max(1, a.integer(0, "linecount", 1));
    List<Object> out = new ArrayList<>();
    List<Object> row = new ArrayList<>();
    for (Object item : Sequences.list(run.budget(), value)) {
      run.budget().spend(16);
      if (row.size() == size) {
        out.add(row);
        row = new ArrayList<>();
      }
      row.add(item);
    }
    Object fill = a.get(1, "fill_with", null);
    while (fill != null && !row.isEmpty() && row.size() < size) {
      run.budget().spend(8);
      row.add(fill);
    }
    if (!row.isEmpty()) {
      out.add(row);
    }
    return new Generator(out.iterator());
  }

  private static @Nullable Object otherwise(Run run, @Nullable Object value, Arguments a) {
    a.require("default", 0, "default_value", "boolean");
    boolean missing =
        value instanceof Undefined || (a.flag(1, "boolean", false) && !Types.truth(value));
    return missing ? a.get(0, "default_value", "") : value;
  }

  private static @Nullable Object attr(@Nullable Object value, String name) {
    Undefined.refuse(value);
    if (value instanceof Members.Attributes own) {
      return own.attribute(name);
    }
    Object method = Methods.of(value, name);
    return method == null ? Undefined.attribute(value, name) : method;
  }
}
