package org.peft4j.onnx;

import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One dimension of a graph input: a number, a name that stays open ({@code "batch"}), or a sum of
 * them ({@code "past + sequence"}), with a name of its own if wanted ({@code "total = past +
 * sequence"}).
 *
 * @param label what the file says in this place
 * @param factors how many times each named size counts
 * @param constant what is added to them; the whole size if there are none
 */
public record Dim(String label, SortedMap<String, Long> factors, long constant) {
  private static final Pattern TERM =
      Pattern.compile("(?:(\\d+)\\s*\\*\\s*)?([A-Za-z_][\\w.]*)|(\\d+)");

  public Dim {
    factors = java.util.Collections.unmodifiableSortedMap(new TreeMap<>(factors));
  }

  /** From a whole number, or from a text as in the class comment. */
  public static Dim of(Object dim) {
    if (dim instanceof Dim d) {
      return d;
    }
    if (dim instanceof Integer || dim instanceof Long) {
      long n = ((Number) dim).longValue();
      if (n < 0) {
        throw new IllegalArgumentException(
            "a dimension must not be negative\nfound: "
                + n
                + "\nfix: name it, as in \"batch\", to leave it open");
      }
      return new Dim(Long.toString(n), new TreeMap<>(), n);
    }
    if (dim instanceof String text) {
      return parse(text);
    }
    throw new IllegalArgumentException(
        "a dimension is a whole number or a text\nfound: "
            + (dim == null ? null : dim.getClass().getName()));
  }

  private static Dim parse(String text) {
    int equals = text.indexOf('=');
    String label = equals < 0 ? text.strip() : text.substring(0, equals).strip();
    TreeMap<String, Long> factors = new TreeMap<>();
    long constant = 0;
    for (String term : text.substring(equals + 1).split("\\+", -1)) {
      Matcher m = TERM.matcher(term.strip());
      if (!m.matches() || label.isEmpty()) {
        throw new IllegalArgumentException(
            "cannot read a dimension\nexpected: a name, a number, or a sum of them such as "
                + "\"past + sequence\"\nfound: \""
                + text
                + "\"");
      }
      if (m.group(2) == null) {
        constant += Long.parseLong(m.group(3));
      } else {
        factors.merge(m.group(2), m.group(1) == null ? 1 : Long.parseLong(m.group(1)), Long::sum);
      }
    }
    return new Dim(label, factors, constant);
  }

  /** Whether the size is a number. */
  public boolean fixed() {
    return factors.isEmpty();
  }

  /** The size where the names have the given sizes. */
  public long at(Map<String, Long> sizes) {
    long n = constant;
    for (Map.Entry<String, Long> f : factors.entrySet()) {
      Long size = sizes.get(f.getKey());
      if (size == null) {
        throw new IllegalArgumentException(
            "no size for the dimension \"" + f.getKey() + "\"\nfound: sizes of " + sizes.keySet());
      }
      n += f.getValue() * size;
    }
    return n;
  }

  @Override
  public String toString() {
    return label;
  }
}
