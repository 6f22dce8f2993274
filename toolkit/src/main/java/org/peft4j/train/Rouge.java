package org.peft4j.train;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * ROUGE (Lin 2004) as Python's {@code rouge_score} computes it without stemming: words are runs of
 * a-z and 0-9 in lower case; the figure is the F-measure {@code 2pr / (p + r)} of shared word
 * n-grams, or of the longest common subsequence of words.
 */
final class Rouge {
  private static final Pattern NO_WORD = Pattern.compile("[^a-z0-9]+");

  private Rouge() {}

  /** rougeL, rouge1 and rouge2 of one text. */
  static Map<String, Double> of(String predicted, String expected) {
    List<String> p = words(predicted);
    List<String> e = words(expected);
    Map<String, Double> values = new LinkedHashMap<>();
    values.put("rougeL", f(longestCommon(p, e), p.size(), e.size()));
    for (int n = 1; n <= 2; n++) {
      values.put("rouge" + n, overlap(p, e, n));
    }
    return values;
  }

  private static List<String> words(String text) {
    return Stream.of(NO_WORD.split(text.toLowerCase(Locale.ROOT)))
        .filter(w -> !w.isEmpty())
        .toList();
  }

  private static double overlap(List<String> p, List<String> e, int n) {
    Map<List<String>, Integer> left = new HashMap<>();
    for (int i = 0; i + n <= e.size(); i++) {
      left.merge(e.subList(i, i + n), 1, Integer::sum);
    }
    int shared = 0;
    for (int i = 0; i + n <= p.size(); i++) {
      if (left.merge(p.subList(i, i + n), -1, Integer::sum) >= 0) {
        shared++;
      }
    }
    return f(shared, Math.max(0, p.size() - n + 1), Math.max(0, e.size() - n + 1));
  }

  /** F-measure of {@code shared / said} and {@code shared / is}. */
  static double f(int shared, int said, int is) {
    return shared == 0 ? 0 : 2.0 * shared / (said + is);
  }

  private static int longestCommon(List<String> a, List<String> b) {
    int[] above = new int[b.size() + 1];
    for (String word : a) {
      int[] row = new int[b.size() + 1];
      for (int j = 1; j <= b.size(); j++) {
        row[j] = word.equals(b.get(j - 1)) ? above[j - 1] + 1 : Math.max(above[j], row[j - 1]);
      }
      above = row;
    }
    return above[b.size()];
  }
}
