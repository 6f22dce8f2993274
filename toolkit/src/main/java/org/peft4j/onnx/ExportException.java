package org.peft4j.onnx;

import org.jspecify.annotations.Nullable;

/**
 * A block that cannot be exported; the message names the operation, the Java line and the way out.
 */
public final class ExportException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  public ExportException(String message) {
    super(message);
  }

  ExportException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
