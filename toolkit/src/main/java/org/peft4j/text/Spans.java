package org.peft4j.text;

import ai.djl.huggingface.tokenizers.jni.CharSpan;
import org.jspecify.annotations.Nullable;

/** The native tokenizer counts code points; Java's strings count chars. */
final class Spans {
  private Spans() {}

  /** Index of the char at which each code point begins, and one more for the end. */
  static int[] charsOfCodePoints(String text) {
    int[] chars = new int[text.codePointCount(0, text.length()) + 1];
    for (int i = 1; i < chars.length; i++) {
      chars[i] = text.offsetByCodePoints(chars[i - 1], 1);
    }
    return chars;
  }

  static Span of(@Nullable CharSpan codePoints, int[] chars) {
    return codePoints == null
        ? Span.NONE
        : new Span(chars[codePoints.getStart()], chars[codePoints.getEnd()]);
  }

  /** The text with each half of a broken surrogate pair replaced by U+FFFD. */
  static String wellFormed(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isHighSurrogate(text.charAt(i))
          && i + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
      } else if (Character.isSurrogate(text.charAt(i))) {
        int[] points = text.codePoints().map(c -> c >= 0xD800 && c < 0xE000 ? 0xFFFD : c).toArray();
        return new String(points, 0, points.length);
      }
    }
    return text;
  }
}
