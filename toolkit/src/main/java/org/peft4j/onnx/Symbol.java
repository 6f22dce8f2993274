package org.peft4j.onnx;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * A whole number in terms of the named sizes, {@code sum over m of c_m * product of the sizes in
 * m}.
 *
 * @param terms c_m by m, a set of sizes as a bit mask; none is zero
 */
record Symbol(SortedMap<Integer, Long> terms) {
  Symbol {
    terms = java.util.Collections.unmodifiableSortedMap(new TreeMap<>(terms));
  }

  static Symbol of(long constant) {
    return new Symbol(constant == 0 ? new TreeMap<>() : new TreeMap<>(Map.of(0, constant)));
  }

  static Symbol of(Dim dim, List<String> names) {
    TreeMap<Integer, Long> terms = new TreeMap<>();
    if (dim.constant() != 0) {
      terms.put(0, dim.constant());
    }
    dim.factors().forEach((name, factor) -> terms.put(1 << names.indexOf(name), factor));
    return new Symbol(terms);
  }

  boolean constant() {
    return terms.isEmpty() || (terms.size() == 1 && terms.containsKey(0));
  }

  long value() {
    return terms.getOrDefault(0, 0L);
  }

  /** Whether it follows one of these sizes. */
  boolean mentions(Set<String> sizes, List<String> names) {
    return sizes.stream()
        .mapToInt(names::indexOf)
        .filter(i -> i >= 0)
        .anyMatch(i -> terms.keySet().stream().anyMatch(mask -> (mask >> i & 1) == 1));
  }

  String text(List<String> names) {
    if (constant()) {
      return Long.toString(value());
    }
    StringBuilder text = new StringBuilder();
    terms.forEach(
        (mask, factor) -> {
          if (mask != 0) {
            append(text, factor, product(mask, names));
          }
        });
    if (value() != 0) {
      append(text, value(), "");
    }
    return text.toString();
  }

  private static void append(StringBuilder text, long factor, String product) {
    text.append(text.isEmpty() ? (factor < 0 ? "-" : "") : factor < 0 ? " - " : " + ");
    long size = Math.abs(factor);
    text.append(
        product.isEmpty() ? Long.toString(size) : size == 1 ? product : size + "*" + product);
  }

  private static String product(int mask, List<String> names) {
    List<String> factors = new ArrayList<>();
    for (int i = 0; i < names.size(); i++) {
      if ((mask >> i & 1) == 1) {
        factors.add(names.get(i));
      }
    }
    return String.join("*", factors);
  }
}
