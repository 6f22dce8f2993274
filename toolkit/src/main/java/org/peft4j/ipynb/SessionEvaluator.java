package org.peft4j.ipynb;

import org.jspecify.annotations.Nullable;
import org.peft4j.shell.Failure;
import org.peft4j.shell.Feedback;
import org.peft4j.shell.Outcome;
import org.peft4j.shell.Session;

/** Runs the cells of a Java notebook as the kernel does, in a session of their own. */
public final class SessionEvaluator implements Evaluator, AutoCloseable {
  private final Session session = Session.forNotebook();

  @Override
  public @Nullable Object run(String code) {
    Outcome outcome = session.evaluate(code);
    Failure failure = outcome.failure();
    if (failure != null) {
      throw new IllegalStateException(failure.message());
    }
    Feedback result = outcome.result();
    return result == null ? null : result.value();
  }

  @Override
  public void close() {
    session.close();
  }
}
