package org.peft4j.text;

import java.util.Arrays;

/**
 * One text as a model reads it: three rows of equal length, without padding.
 *
 * @param ids token ids
 * @param attentionMask 1 for every token
 * @param typeIds 0, or 1 in the second text of a pair, as the tokenizer file says
 */
@SuppressWarnings("ArrayRecordComponent") // rows go to native arrays; equality is by content
public record Tokens(long[] ids, long[] attentionMask, long[] typeIds) {
  public Tokens {
    if (ids.length != attentionMask.length || ids.length != typeIds.length) {
      throw new IllegalArgumentException(
          "rows of different length\nexpected: %d, as ids\nfound: attentionMask %d, typeIds %d"
              .formatted(ids.length, attentionMask.length, typeIds.length));
    }
  }

  /** A single text that is attended to everywhere. */
  public static Tokens of(long... ids) {
    return new Tokens(ids, ones(ids.length), new long[ids.length]);
  }

  /** Number of tokens. */
  public int length() {
    return ids.length;
  }

  static long[] ones(int n) {
    long[] ones = new long[n];
    Arrays.fill(ones, 1);
    return ones;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Tokens t
        && Arrays.equals(ids, t.ids)
        && Arrays.equals(attentionMask, t.attentionMask)
        && Arrays.equals(typeIds, t.typeIds);
  }

  @Override
  public int hashCode() {
    return 31 * (31 * Arrays.hashCode(ids) + Arrays.hashCode(attentionMask))
        + Arrays.hashCode(typeIds);
  }

  @Override
  public String toString() {
    return ids.length + " tokens " + Arrays.toString(ids);
  }
}
