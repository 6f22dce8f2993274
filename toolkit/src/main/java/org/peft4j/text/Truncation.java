package org.peft4j.text;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Which tokens stay when a text is cut to a length. Special tokens that the tokenizer added stay;
 * of a pair the longer text is cut first, then both evenly ("longest first").
 */
record Truncation(int maxLength, Side cut) {
  static final Truncation NONE = new Truncation(Integer.MAX_VALUE, Side.RIGHT);

  /**
   * Indices of the tokens that stay, ascending.
   *
   * @param special 1 for a token that the tokenizer added
   * @param sequence 0 or 1: the text a token is from; anything for a special one
   */
  int[] kept(int length, long[] special, long[] sequence) {
    if (length <= maxLength) {
      return IntStream.range(0, length).toArray();
    }
    int[] count = new int[2];
    int added = 0;
    for (int i = 0; i < special.length; i++) {
      if (special[i] == 1) {
        added++;
      } else {
        count[text(sequence[i])]++;
      }
    }
    requireRoom(added);
    int[] keep = share(count[0], count[1], maxLength - added);
    int[] seen = new int[2];
    int[] kept = new int[added + keep[0] + keep[1]];
    int n = 0;
    for (int i = 0; i < special.length; i++) {
      if (special[i] == 1) {
        kept[n++] = i;
        continue;
      }
      int text = text(sequence[i]);
      int place = seen[text]++;
      boolean stays = cut == Side.RIGHT ? place < keep[text] : place >= count[text] - keep[text];
      if (stays) {
        kept[n++] = i;
      }
    }
    return kept;
  }

  void requireRoom(long added) {
    if (maxLength <= added) {
      throw new IllegalArgumentException(
          "maxLength(%d) leaves no room for text\nexpected: at least %d\nfound: %d special tokens"
              .formatted(maxLength, added + 1, added));
    }
  }

  /** How many tokens of either text stay, of {@code room}. */
  private static int[] share(int first, int second, int room) {
    int shorter = Math.min(Math.min(first, second), room / 2);
    int longer = Math.min(Math.max(first, second), room - shorter);
    return first > second ? new int[] {longer, shorter} : new int[] {shorter, longer};
  }

  private static int text(long sequence) {
    return sequence == 1 ? 1 : 0;
  }

  static long[] pick(long[] from, int[] indices) {
    return Arrays.stream(indices).mapToLong(i -> from[i]).toArray();
  }
}
