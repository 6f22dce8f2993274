package org.peft4j.onnx;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The sizes at which a block is traced: two per named dimension in all combinations, and one check
 * point beside them. From a number recorded at all of them follows, exactly, its {@link Symbol}.
 */
final class Grid {
  private static final int LIMIT = 5;

  private final List<String> names;
  private final long[][] points;

  /**
   * @param chosen low, high and check size of some of the names
   */
  Grid(List<String> names, Map<String, long[]> chosen) {
    if (names.size() > LIMIT) {
      throw new IllegalArgumentException(
          "too many open dimensions, each doubles the number of traces\nexpected: at most "
              + LIMIT
              + "\nfound: "
              + names);
    }
    this.names = List.copyOf(names);
    int corners = 1 << names.size();
    points = new long[corners + 1][names.size()];
    for (int k = 0; k < names.size(); k++) {
      // small, so that tracing is cheap; apart from each other and never 1, so that broadcasting
      // shows
      long low = k == 0 ? 2 : 3 * k + 2;
      long[] sizes =
          chosen.getOrDefault(
              names.get(k), new long[] {low, low + (k == 0 ? 1 : 2), low + (k == 0 ? 2 : 5)});
      for (int i = 0; i < corners; i++) {
        points[i][k] = sizes[i >> k & 1];
      }
      points[corners][k] = sizes[2];
    }
  }

  List<String> names() {
    return names;
  }

  int count() {
    return points.length;
  }

  Map<String, Long> sizes(int point) {
    Map<String, Long> sizes = new LinkedHashMap<>();
    for (int k = 0; k < names.size(); k++) {
      sizes.put(names.get(k), points[point][k]);
    }
    return sizes;
  }

  /** Such as {@code batch=2, sequence=5}. */
  String describe(int point) {
    return describe(sizes(point));
  }

  static String describe(Map<String, Long> sizes) {
    List<String> parts = new ArrayList<>();
    sizes.forEach((name, size) -> parts.add(name + "=" + size));
    return parts.isEmpty() ? "fixed sizes" : String.join(", ", parts);
  }

  /**
   * The form that gives these numbers, one per point; null if no multilinear form with whole
   * factors does.
   */
  @Nullable Symbol solve(long[] samples) {
    int corners = points.length - 1;
    long[] c = java.util.Arrays.copyOf(samples, corners);
    for (int k = 0;
        k < names.size();
        k++) { // f(lo), f(hi) become intercept and slope along dimension k
      long low = points[0][k];
      long high = points[1 << k][k];
      for (int i = 0; i < corners; i++) {
        if ((i >> k & 1) == 0) {
          long rise = c[i | 1 << k] - c[i];
          if (rise % (high - low) != 0) {
            return null;
          }
          long slope = rise / (high - low);
          c[i | 1 << k] = slope;
          c[i] -= slope * low;
        }
      }
    }
    TreeMap<Integer, Long> terms = new TreeMap<>();
    long check = 0;
    for (int mask = 0; mask < corners; mask++) {
      if (c[mask] != 0) {
        terms.put(mask, c[mask]);
        long product = c[mask];
        for (int k = 0; k < names.size(); k++) {
          product *= (mask >> k & 1) == 1 ? points[corners][k] : 1;
        }
        check += product;
      }
    }
    return check == samples[corners] ? new Symbol(terms) : null;
  }
}
