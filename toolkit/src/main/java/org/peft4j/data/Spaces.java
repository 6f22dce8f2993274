package org.peft4j.data;

import java.util.function.IntPredicate;

/** Forms of a text to compare or print. */
final class Spaces {
  private Spaces() {}

  /** The text with one space for each run of white space, and none around it. */
  static String single(String text) {
    return separated(text, Character::isWhitespace);
  }

  /** The letters and digits, with one space for each run of anything else. */
  static String words(String text) {
    return separated(text, c -> !Character.isLetterOrDigit(c));
  }

  private static String separated(String text, IntPredicate separator) {
    StringBuilder out = new StringBuilder(text.length());
    boolean pending = false;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (separator.test(c)) {
        pending = !out.isEmpty();
      } else {
        if (pending) {
          out.append(' ');
          pending = false;
        }
        out.append(c);
      }
    }
    return out.toString();
  }
}
