package org.peft4j.text;

import java.util.Arrays;
import java.util.List;

/**
 * Texts padded to the longest of them; every array is (rows, length). Padding has the pad token's
 * id, attention mask 0 and type 0.
 */
@SuppressWarnings("ArrayRecordComponent") // rows go to native arrays; equality is by content
public record Batch(long[][] ids, long[][] attentionMask, long[][] typeIds) {

  /**
   * Pads texts to the longest of them.
   *
   * @throws IllegalArgumentException when there is no text, or no token in any of them
   */
  public static Batch of(List<Tokens> texts, long padId, Side side) {
    int length = texts.stream().mapToInt(Tokens::length).max().orElse(0);
    if (length == 0) {
      throw new IllegalArgumentException(
          "nothing to pad\nexpected: at least one text with a token\nfound: %d texts without any"
              .formatted(texts.size()));
    }
    if (padId < 0) {
      throw new IllegalArgumentException("pad id must not be negative, was " + padId);
    }
    int rows = texts.size();
    long[][] ids = new long[rows][length];
    long[][] mask = new long[rows][length];
    long[][] types = new long[rows][length];
    for (int r = 0; r < rows; r++) {
      Tokens text = texts.get(r);
      int from = side == Side.RIGHT ? 0 : length - text.length();
      Arrays.fill(ids[r], padId);
      System.arraycopy(text.ids(), 0, ids[r], from, text.length());
      System.arraycopy(text.attentionMask(), 0, mask[r], from, text.length());
      System.arraycopy(text.typeIds(), 0, types[r], from, text.length());
    }
    return new Batch(ids, mask, types);
  }

  /** Number of texts. */
  public int rows() {
    return ids.length;
  }

  /** Number of tokens in each row, padding included. */
  public int length() {
    return ids[0].length;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Batch b
        && Arrays.deepEquals(ids, b.ids)
        && Arrays.deepEquals(attentionMask, b.attentionMask)
        && Arrays.deepEquals(typeIds, b.typeIds);
  }

  @Override
  public int hashCode() {
    return 31 * (31 * Arrays.deepHashCode(ids) + Arrays.deepHashCode(attentionMask))
        + Arrays.deepHashCode(typeIds);
  }

  @Override
  public String toString() {
    long tokens = Arrays.stream(attentionMask).flatMapToLong(Arrays::stream).sum();
    return "%d rows of %d tokens, %d %% padding"
        .formatted(rows(), length(), Math.round(100 - 100.0 * tokens / rows() / length()));
  }
}
