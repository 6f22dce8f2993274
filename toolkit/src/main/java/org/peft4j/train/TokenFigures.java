package org.peft4j.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;
import org.peft4j.tensor.CrossEntropy;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** Perplexity, loss, and the share of tokens that score highest, over all rows of an objective. */
final class TokenFigures {
  /** Tokens of a batch: bounds the memory of one wide batch. */
  private static final int BATCH_TOKENS = 4096;

  private TokenFigures() {}

  /** Logits {@code [n, vocabulary]} and targets {@code [n]} of the tokens to be learned. */
  record Scores(NDArray logits, NDArray targets) {}

  /** Scores rows, without training. */
  interface Scorer {
    Scores score(ParameterStore store, NDManager manager, int[] rows);
  }

  /** The figures; an objective's weight is its number of tokens. */
  static Metrics of(Objective objective, int batchSize, Scorer scorer) {
    int[] byLength =
        IntStream.range(0, objective.rows())
            .boxed()
            .sorted((a, b) -> Integer.compare(objective.length(b), objective.length(a)))
            .mapToInt(i -> i)
            .toArray();
    double loss = 0;
    double correct = 0;
    int from = 0;
    while (from < byLength.length) {
      int most = Math.max(1, BATCH_TOKENS / objective.length(byLength[from]));
      int to = Math.min(byLength.length, from + Math.min(batchSize, most));
      double[] sums = sums(objective, scorer, Arrays.copyOfRange(byLength, from, to));
      loss += sums[0];
      correct += sums[1];
      from = to;
    }
    double tokens = objective.weight(byLength);
    Map<String, Double> values = new LinkedHashMap<>();
    values.put("perplexity", Math.exp(loss / tokens));
    values.put("loss", loss / tokens);
    values.put("accuracy", correct / tokens);
    return new Metrics(values, objective.rows(), false);
  }

  /** Summed loss and number of tokens that score highest. */
  private static double[] sums(Objective objective, Scorer scorer, int[] batch) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager manager = Torch.newManager()) {
            Scores s = scorer.score(new ParameterStore(manager, false), manager, batch);
            double mean = CrossEntropy.mean(s.logits, s.targets).getFloat();
            long hits = s.logits.argMax(1).eq(s.targets).countNonzero().getLong();
            return new double[] {mean * objective.weight(batch), hits};
          }
        });
  }
}
