package org.peft4j.text.jinja;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Values as Python's {@code str} and {@code repr} print them. */
final class Text {
  private final Budget budget;
  private final StringBuilder out = new StringBuilder();

  private Text(Budget budget) {
    this.budget = budget;
  }

  static String str(Budget budget, @Nullable Object value) {
    if (value instanceof String s) {
      return s;
    }
    return value instanceof Undefined ? "" : repr(budget, value);
  }

  static String repr(Budget budget, @Nullable Object value) {
    Text text = new Text(budget);
    text.append(value);
    return text.out.toString();
  }

  private void append(@Nullable Object value) {
    budget.step();
    if (value == null) {
      out.append("None");
    } else if (value instanceof Boolean b) {
      out.append(b ? "True" : "False");
    } else if (Numbers.isNumber(value)) {
      out.append(Numbers.text(value));
    } else if (value instanceof String s) {
      quote(s);
    } else if (value instanceof List<?> list) {
      items("[", list, "]");
    } else if (value instanceof Tuple tuple) {
      items("(", tuple.items(), tuple.items().size() == 1 ? ",)" : ")");
    } else if (value instanceof Map<?, ?> map) {
      map(map);
    } else if (value instanceof Namespace space) {
      out.append("<Namespace ");
      map(space.attributes());
      out.append('>');
    } else if (value instanceof Undefined) {
      out.append("Undefined");
    } else if (value instanceof Range r) {
      out.append("range(").append(r.start()).append(", ").append(r.stop());
      out.append(r.step() == 1 ? ")" : ", " + r.step() + ")");
    } else if (value instanceof Generator) {
      out.append("<generator object>");
    } else {
      out.append(value);
    }
  }

  private void items(String open, List<?> items, String close) {
    out.append(open);
    String separator = "";
    for (Object item : items) {
      out.append(separator);
      append(item);
      separator = ", ";
    }
    out.append(close);
  }

  private void map(Map<?, ?> map) {
    out.append('{');
    String separator = "";
    for (Map.Entry<?, ?> entry : map.entrySet()) {
      out.append(separator);
      append(entry.getKey());
      out.append(": ");
      append(entry.getValue());
      separator = ", ";
    }
    out.append('}');
  }

  private void quote(String s) {
    budget.spend(s.length());
    char quote = s.contains("'") && !s.contains("\"") ? '"' : '\'';
    out.append(quote);
    s.codePoints().forEach(c -> character(c, quote));
    out.append(quote);
  }

  private void character(int c, char quote) {
    if (c == quote || c == '\\') {
      out.append('\\').append((char) c);
    } else if (c == '\n') {
      out.append("\\n");
    } else if (c == '\r') {
      out.append("\\r");
    } else if (c == '\t') {
      out.append("\\t");
    } else if (isPrintable(c)) {
      out.appendCodePoint(c);
    } else if (c < 0x100) {
      out.append("\\x%02x".formatted(c));
    } else {
      out.append((c < 0x10000 ? "\\u%04x" : "\\U%08x").formatted(c));
    }
  }

  private static boolean isPrintable(int c) {
    return c == ' '
        || switch (Character.getType(c)) {
          case Character.CONTROL,
              Character.FORMAT,
              Character.SURROGATE,
              Character.PRIVATE_USE,
              Character.UNASSIGNED,
              Character.LINE_SEPARATOR,
              Character.PARAGRAPH_SEPARATOR,
              Character.SPACE_SEPARATOR ->
              false;
          default -> true;
        };
  }
}
