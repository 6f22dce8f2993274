package org.peft4j.shell;

import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a piece of code came to.
 *
 * @param feedback of its snippets, in their order
 * @param failure why it did not run to its end, or null
 */
public record Outcome(List<Feedback> feedback, @Nullable Failure failure) {

  public Outcome {
    feedback = Collections.unmodifiableList(feedback);
  }

  /** Of the last snippet, where that is an expression with a value; else null. */
  public @Nullable Feedback result() {
    if (failure != null || feedback.isEmpty()) {
      return null;
    }
    Feedback last = feedback.get(feedback.size() - 1);
    return last.isExpression() ? last : null;
  }

  /** As a terminal shows it, line by line. */
  @Override
  public String toString() {
    StringBuilder out = new StringBuilder();
    for (Feedback f : feedback) {
      if (!f.toString().isEmpty()) {
        out.append(f).append('\n');
      }
    }
    return out.append(failure == null ? "" : failure.message() + "\n").toString();
  }
}
