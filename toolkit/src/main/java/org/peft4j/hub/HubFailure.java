package org.peft4j.hub;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** The hub did not give what it was asked for; the message says why and what to do. */
final class HubFailure extends IOException {
  private static final long serialVersionUID = 1;

  /** What kind of failure it is. */
  enum Kind {
    /** The repository is there, but not this revision or file. */
    MISSING,
    /** The repository is not there, or not for this token. */
    REFUSED,
    /** No answer, or one that may be another one soon. */
    UNREACHABLE,
    /** Something is there already. */
    CONFLICT,
    /** Anything else. */
    OTHER
  }

  private final Kind kind;

  HubFailure(Kind kind, String message, @Nullable Throwable cause) {
    super(message, cause);
    this.kind = kind;
  }

  Kind kind() {
    return kind;
  }
}
