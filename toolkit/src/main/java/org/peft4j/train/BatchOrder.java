package org.peft4j.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.peft4j.tensor.Seed;

/**
 * The batches of an epoch: rows in random order, sorted by length within stretches of many batches
 * so that a batch needs little padding, and the batches in random order again. A function of the
 * seed and the epoch alone. Or, if they are not to be shuffled, the rows as they come.
 */
final class BatchOrder {
  private static final int BATCHES_PER_STRETCH = 50;

  private BatchOrder() {}

  static List<int[]> of(Objective objective, Settings settings, long epoch) {
    int n = objective.rows();
    int batchSize = settings.batchSize();
    if (!settings.shuffle()) {
      List<int[]> plain = new ArrayList<>();
      for (int i = 0; i < n; i += batchSize) {
        plain.add(IntStream.range(i, Math.min(n, i + batchSize)).toArray());
      }
      return plain;
    }
    Seed seed = Seed.of(settings.seed()).at("order").at(epoch);
    int[] shuffled = seed.at("rows").permutation(n);
    List<int[]> batches = new ArrayList<>();
    int stretch = batchSize * BATCHES_PER_STRETCH;
    for (int start = 0; start < n; start += stretch) {
      int[] part = Arrays.copyOfRange(shuffled, start, Math.min(n, start + stretch));
      int[] byLength =
          Arrays.stream(part)
              .boxed()
              .sorted((a, b) -> Integer.compare(objective.length(b), objective.length(a)))
              .mapToInt(i -> i)
              .toArray();
      for (int i = 0; i < byLength.length; i += batchSize) {
        batches.add(Arrays.copyOfRange(byLength, i, Math.min(byLength.length, i + batchSize)));
      }
    }
    int[] order = seed.at("batches").permutation(batches.size());
    List<int[]> out = new ArrayList<>();
    for (int i : order) {
      out.add(batches.get(i));
    }
    return out;
  }
}
