package org.peft4j.text.jinja;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The filter {@code tojson} of chat templates: Python's {@code json.dumps(ensure_ascii=False)},
 * without the escapes for HTML that Jinja's own filter makes.
 */
final class JsonText {
  private final Budget budget;
  private final boolean ascii;
  private final boolean sorted;
  private final @Nullable String indent;
  private final String comma;
  private final String colon;
  private final StringBuilder out = new StringBuilder();

  private JsonText(Budget budget, Arguments arguments) {
    arguments.require("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
    this.budget = budget;
    this.ascii = arguments.flag(0, "ensure_ascii", false);
    this.sorted = arguments.flag(3, "sort_keys", false);
    Object step = arguments.get(1, "indent", null);
    this.indent =
        step instanceof String s
            ? s
            : step == null
                ? null
                : " ".repeat(Math.min(100, Math.max(0, Numbers.index(step, "indent"))));
    Object given = arguments.get(2, "separators", null);
    List<Object> separators = given == null ? List.of() : Sequences.list(budget, given);
    if (given != null && separators.size() != 2) {
      throw TemplateException.of("separators must be two texts");
    }
    this.comma = given == null ? (indent == null ? ", " : ",") : (String) separators.get(0);
    this.colon = given == null ? ": " : (String) separators.get(1);
  }

  static String of(Budget budget, @Nullable Object value, Arguments arguments) {
    JsonText json = new JsonText(budget, arguments);
    json.append(value, 0);
    return json.out.toString();
  }

  private void append(@Nullable Object value, int depth) {
    budget.step();
    if (value == null || value instanceof Boolean) {
      out.append(value);
    } else if (Numbers.isNumber(value)) {
      out.append(number(value));
    } else if (value instanceof String s) {
      quote(s);
    } else if (value instanceof List<?> list) {
      items(list, depth);
    } else if (value instanceof Tuple tuple) {
      items(tuple.items(), depth);
    } else if (value instanceof Map<?, ?> map) {
      object(map, depth);
    } else {
      throw TemplateException.of("Object of type %s is not JSON serializable", Types.nameOf(value));
    }
  }

  private static String number(Object value) {
    return switch (Numbers.text(value)) {
      case "inf" -> "Infinity";
      case "-inf" -> "-Infinity";
      case "nan" -> "NaN";
      default -> Numbers.text(value);
    };
  }

  private void items(List<?> list, int depth) {
    out.append('[');
    String separator = "";
    for (Object item : list) {
      out.append(separator);
      line(depth + 1);
      append(item, depth + 1);
      separator = comma;
    }
    if (!list.isEmpty()) {
      line(depth);
    }
    out.append(']');
  }

  private void object(Map<?, ?> map, int depth) {
    out.append('{');
    String separator = "";
    List<? extends Map.Entry<?, ?>> entries = List.copyOf(map.entrySet());
    if (sorted) {
      entries =
          entries.stream()
              .sorted(
                  Comparator.comparing(
                      Map.Entry::getKey, (a, b) -> Equality.compare(budget, "<", a, b)))
              .toList();
    }
    for (Map.Entry<?, ?> entry : entries) {
      out.append(separator);
      line(depth + 1);
      quote(key(entry.getKey()));
      out.append(colon);
      append(entry.getValue(), depth + 1);
      separator = comma;
    }
    if (!map.isEmpty()) {
      line(depth);
    }
    out.append('}');
  }

  private static String key(@Nullable Object key) {
    if (key == null || key instanceof Boolean) {
      return String.valueOf(key);
    } else if (Numbers.isNumber(key)) {
      return number(key);
    } else if (key instanceof String s) {
      return s;
    }
    throw TemplateException.of(
        "keys must be str, int, float, bool or None, not %s", Types.nameOf(key));
  }

  private void line(int depth) {
    if (indent != null) {
      budget.spend((long) indent.length() * depth);
      out.append('\n').append(indent.repeat(depth));
    }
  }

  private void quote(String s) {
    budget.spend(s.length());
    out.append('"');
    for (int i = 0; i < s.length(); i++) {
      char c = s.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        case '\b' -> out.append("\\b");
        case '\f' -> out.append("\\f");
        default -> {
          if (c < 0x20 || (ascii && c > 0x7E)) {
            out.append("\\u%04x".formatted((int) c));
          } else {
            out.append(c);
          }
        }
      }
    }
    out.append('"');
  }
}
