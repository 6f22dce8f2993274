package org.peft4j.text;

/**
 * The part of a text that a token stands for, as {@link String#substring(int, int)} counts.
 *
 * @param start index of the first char
 * @param end index after the last char; equal to start for a token the text did not hold
 */
public record Span(int start, int end) {
  static final Span NONE = new Span(0, 0);

  /** Whether the token stands for nothing in the text, as {@code [CLS]} does. */
  public boolean isEmpty() {
    return start == end;
  }
}
