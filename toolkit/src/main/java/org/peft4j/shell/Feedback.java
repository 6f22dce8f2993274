package org.peft4j.shell;

import org.jspecify.annotations.Nullable;

/**
 * What one snippet came to.
 *
 * @param name the variable it gave a value to, {@code $3} and the like for expressions; null where
 *     there is none
 * @param value the value of an expression or variable
 * @param text the value as JShell writes it, or what else there is to say ("created method f()");
 *     empty for nothing
 * @param isExpression whether it is an expression, whose value a notebook shows
 */
public record Feedback(
    @Nullable String name, @Nullable Object value, String text, boolean isExpression) {

  /** A sentence without a value. */
  static Feedback note(String text) {
    return new Feedback(null, null, text, false);
  }

  /** As a terminal shows it. */
  @Override
  public String toString() {
    return name == null ? text : name + " ==> " + text;
  }
}
