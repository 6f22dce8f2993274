package org.peft4j.format;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A failure after which another attempt makes sense. */
public final class PassingFailure extends IOException {
  private static final long serialVersionUID = 1;

  private final long pauseMillis;

  /**
   * @param pauseMillis for which the server asks to wait; -1 where it does not say
   */
  public PassingFailure(String what, long pauseMillis, @Nullable Throwable cause) {
    super(what, cause);
    this.pauseMillis = pauseMillis;
  }

  long pauseMillis() {
    return pauseMillis;
  }
}
