package org.peft4j.spi;

import java.util.List;
import java.util.stream.IntStream;

/**
 * The tokens that a {@link Hook} puts in front of every text.
 *
 * @param ids all of them
 * @param weights what the loss of each is multiplied by; 0 for those that are not to be learned
 */
public record OwnTokens(List<Integer> ids, List<Double> weights) {
  public OwnTokens {
    ids = List.copyOf(ids);
    weights = List.copyOf(weights);
    if (ids.size() != weights.size()) {
      throw new IllegalArgumentException(
          "weights\nexpected: one for each of " + ids.size() + " tokens\nfound: " + weights.size());
    }
  }

  /** The places of those to be learned; the first has nothing before it to be told from. */
  public int[] learned() {
    return IntStream.range(1, ids.size()).filter(i -> weights.get(i) > 0).toArray();
  }
}
