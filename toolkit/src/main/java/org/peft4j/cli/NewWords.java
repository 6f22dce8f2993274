package org.peft4j.cli;

import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.data.Example;
import org.peft4j.data.Examples;
import org.peft4j.model.Pooling;
import org.peft4j.model.Pretrained;

/**
 * For trainable tokens: the most frequent longer words of the glosses are written as Cyrillic
 * letters, of which an English model knows nothing but that they are tokens. Their embeddings are
 * learned. Rows are those with such a word in them.
 */
final class NewWords implements OwnTask {
  /** Those that the tokenizer keeps: it takes accents off. */
  private static final String LETTERS = "абвгдежзиклмнопрстуфхцчшщъыьэюя";

  private static final Pattern WORD = Pattern.compile("[a-z]{5,}");

  private final ComparedData data;
  private final Map<String, String> letters = new LinkedHashMap<>();

  NewWords(ComparedData data) {
    this.data = data;
    Map<String, Integer> counts = new HashMap<>();
    for (Example row : data.splits().train()) {
      WORD.matcher(row.text()).results().forEach(m -> counts.merge(m.group(), 1, Integer::sum));
    }
    List<String> words =
        counts.entrySet().stream()
            .sorted(
                Map.Entry.<String, Integer>comparingByValue(Comparator.reverseOrder())
                    .thenComparing(Map.Entry.comparingByKey()))
            .limit(LETTERS.length())
            .map(Map.Entry::getKey)
            .toList();
    for (int i = 0; i < words.size(); i++) {
      letters.put(words.get(i), LETTERS.substring(i, i + 1));
    }
  }

  @Override
  public String method() {
    return "trainable_tokens";
  }

  @Override
  public String description() {
    return "new words: in the same glosses "
        + letters.size()
        + " frequent words, from \""
        + letters.keySet().iterator().next()
        + "\" on, are replaced by tokens that mean nothing to the model";
  }

  @Override
  public boolean isInstead() {
    return true;
  }

  @Override
  public double without(int seed) {
    return FrozenFeatures.of(data.embedder(), train(seed), validation(seed), test(seed)).accuracy();
  }

  @Override
  public Comparison.Run with(double rate, int seed, boolean heldOut) {
    try (Tuned tuned = attach(seed)) {
      Examples scored = heldOut ? test(seed) : validation(seed);
      return data.fit(
          tuned, tuned.fit(train(seed)), t -> t.evaluate(scored).main(), method(), rate, seed);
    }
  }

  @Override
  public Cost.Steps someSteps() {
    try (Tuned tuned = attach(0)) {
      return Cost.steps(tuned.fit(train(0)).batchSize(ComparedData.BATCH));
    }
  }

  private Tuned attach(int seed) {
    Pretrained model = data.embedder().classify(data.splits().labels(), Pooling.MEAN, seed);
    String[] tokens = letters.values().toArray(String[]::new);
    return Peft.trainableTokens(model).tokens(tokens).seed(seed).apply();
  }

  private Examples train(int seed) {
    return rows(data.splits().train(), data.size().train(), seed);
  }

  private Examples validation(int seed) {
    return rows(data.splits().validation(), data.size().validation(), seed);
  }

  private Examples test(int seed) {
    return rows(data.splits().test(), data.size().test(), seed);
  }

  private Examples rows(Examples from, int n, int seed) {
    List<Example> rows =
        from.stream()
            .map(row -> new Example(replaced(row.text()), row.label()))
            .filter(row -> row.text().chars().anyMatch(c -> LETTERS.indexOf(c) >= 0))
            .toList();
    Examples all = new Examples(rows, from.labels());
    return all.sample(Math.min(n, all.size()), seed);
  }

  private String replaced(String text) {
    Matcher words = WORD.matcher(text);
    return words.replaceAll(m -> letters.getOrDefault(m.group(), m.group()));
  }
}
