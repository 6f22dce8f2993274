package org.peft4j.text.jinja;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The filters by name. */
final class Filters {
  /** {@code value | name(arguments)}. */
  interface Filter {
    @Nullable Object apply(Run run, @Nullable Object value, Arguments arguments);
  }

  private static final Map<String, Filter> ALL = new HashMap<>();

  static {
    TextFilters.register(ALL);
    ListFilters.register(ALL);
    SelectFilters.register(ALL);
    NumberFilters.register(ALL);
  }

  private Filters() {}

  /**
   * Finds a filter.
   *
   * @throws TemplateException when there is none of that name
   */
  static Filter named(String name) {
    Filter filter = ALL.get(name);
    if (filter == null) {
      throw TemplateException.of("No filter named '%s'.", name);
    }
    return filter;
  }

  static boolean has(String name) {
    return ALL.containsKey(name);
  }
}
