package org.peft4j.train;

import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Figures of answers held against the right ones, for each kind of task; all between 0 and 1,
 * higher is better. Perplexity is {@link Perplexity}'s.
 */
public final class Scores {
  private Scores() {}

  /** Accuracy, and F1 as the mean over classes. */
  public static Metrics classification(int[] predicted, int[] expected) {
    requireSame(predicted.length, expected.length);
    Confusion confusion = new Confusion();
    for (int i = 0; i < predicted.length; i++) {
      confusion.add(predicted[i], expected[i]);
    }
    return new Metrics(confusion.values(), predicted.length, true);
  }

  /** Share of texts that equal the right one, white space around them aside. */
  public static Metrics exactMatch(List<String> predicted, List<String> expected) {
    requireSame(predicted.size(), expected.size());
    double hits =
        IntStream.range(0, predicted.size())
            .filter(i -> predicted.get(i).strip().equals(expected.get(i).strip()))
            .count();
    return new Metrics(Map.of("exact_match", hits / predicted.size()), predicted.size(), true);
  }

  /**
   * ROUGE-L, ROUGE-1 and ROUGE-2: F-measures, meant over the texts, as Python's {@code rouge_score}
   * gives them without stemming.
   */
  public static Metrics rouge(List<String> predicted, List<String> expected) {
    requireSame(predicted.size(), expected.size());
    Map<String, Double> sums = new LinkedHashMap<>();
    for (int i = 0; i < predicted.size(); i++) {
      Rouge.of(predicted.get(i), expected.get(i))
          .forEach((name, value) -> sums.merge(name, value, Double::sum));
    }
    sums.replaceAll((name, sum) -> sum / predicted.size());
    return new Metrics(sums, predicted.size(), true);
  }

  /**
   * F1 of words and exact match as SQuAD's evaluation has them.
   *
   * @param expected for each question its right answers; {@code ""} where there is none
   */
  public static Metrics questionAnswering(List<String> predicted, List<List<String>> expected) {
    requireSame(predicted.size(), expected.size());
    double f1 = 0;
    double exact = 0;
    for (int i = 0; i < predicted.size(); i++) {
      f1 += Squad.f1(predicted.get(i), expected.get(i));
      exact += Squad.exact(predicted.get(i), expected.get(i));
    }
    Map<String, Double> values = new LinkedHashMap<>();
    values.put("f1", f1 / predicted.size());
    values.put("exact_match", exact / predicted.size());
    return new Metrics(values, predicted.size(), true);
  }

  /**
   * F1, precision and recall of entities, which count when type, begin and end are right, and
   * accuracy of tags, as Python's {@code seqeval} gives them.
   *
   * @param predicted for each text the tag of each token, such as {@code B-PER}, {@code I-PER},
   *     {@code O}
   */
  public static Metrics tokenClassification(
      List<List<String>> predicted, List<List<String>> expected) {
    requireSame(predicted.size(), expected.size());
    int hits = 0;
    int said = 0;
    int is = 0;
    long same = 0;
    long tokens = 0;
    for (int i = 0; i < predicted.size(); i++) {
      List<String> p = predicted.get(i);
      List<String> e = expected.get(i);
      requireSame(p.size(), e.size());
      Set<Entities.Entity> found = new HashSet<>(Entities.of(p));
      Set<Entities.Entity> there = new HashSet<>(Entities.of(e));
      said += found.size();
      is += there.size();
      found.retainAll(there);
      hits += found.size();
      tokens += p.size();
      same += IntStream.range(0, p.size()).filter(t -> p.get(t).equals(e.get(t))).count();
    }
    Map<String, Double> values = new LinkedHashMap<>();
    values.put("f1", Rouge.f(hits, said, is));
    values.put("precision", said == 0 ? 0 : (double) hits / said);
    values.put("recall", is == 0 ? 0 : (double) hits / is);
    values.put("accuracy", (double) same / tokens);
    return new Metrics(values, predicted.size(), true);
  }

  private static void requireSame(int predicted, int expected) {
    if (predicted != expected || predicted == 0) {
      throw new IllegalArgumentException(
          "an answer for each right one, and at least one\nexpected: %d\nfound: %d"
              .formatted(expected, predicted));
    }
  }
}
