package org.peft4j.train;

import java.util.Arrays;
import org.peft4j.tensor.CrossEntropy;

/**
 * A row as a causal language model learns it.
 *
 * @param ids token ids
 * @param labels for each token itself where it is to be learned, else -100; the model's scores at
 *     position t - 1 are held against the label of t, so the first token's never counts
 * @param truncated whether the row was cut
 */
@SuppressWarnings("ArrayRecordComponent") // rows go to native arrays
record LabelledTokens(long[] ids, long[] labels, boolean truncated) {
  LabelledTokens {
    if (ids.length != labels.length) {
      throw new IllegalArgumentException(
          "labels\nexpected: %d, one for each token\nfound: %d"
              .formatted(ids.length, labels.length));
    }
  }

  /** Number of tokens. */
  int length() {
    return ids.length;
  }

  /** Whether the token at {@code t} is predicted and scored. */
  boolean scored(int t) {
    return t > 0 && labels[t] != CrossEntropy.IGNORED;
  }

  /** Number of tokens that are predicted and scored. */
  int supervised() {
    int n = 0;
    for (int t = 1; t < labels.length; t++) {
      n += scored(t) ? 1 : 0;
    }
    return n;
  }

  /** Without what comes after the last token to be learned, which no score depends on. */
  LabelledTokens trimmed() {
    int n = labels.length;
    while (n > 1 && labels[n - 1] == CrossEntropy.IGNORED) {
      n--;
    }
    return new LabelledTokens(Arrays.copyOf(ids, n), Arrays.copyOf(labels, n), truncated);
  }
}
