package org.peft4j.shell;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Why code did not run to its end.
 *
 * @param kind what happened
 * @param name a word for it: the exception's class, or the kind in one or two words
 * @param message for people: one sentence, with the line of code where the compiler refused it
 * @param line of the code at fault, from 1; 0 where it has none
 * @param trace the stack, empty where there is none
 */
public record Failure(Kind kind, String name, String message, int line, String trace) {
  private static final String OURS = "org.peft4j.";

  /** What can happen. */
  public enum Kind {
    /** The compiler refused it. */
    COMPILE,
    /** It threw an exception. */
    EXCEPTION,
    /** Somebody interrupted it. */
    INTERRUPTED,
    /** Its end is missing. */
    INCOMPLETE,
    /** A command that is none, or did not work. */
    COMMAND
  }

  static Failure of(Kind kind, String message, int line) {
    String name =
        kind.name().charAt(0) + kind.name().substring(1).toLowerCase(java.util.Locale.ROOT);
    return new Failure(kind, name, message, line, "");
  }

  static Failure of(Throwable thrown, int line) {
    return new Failure(
        Kind.EXCEPTION, thrown.getClass().getSimpleName(), sentence(thrown), line, trace(thrown));
  }

  /**
   * An exception in one or a few lines: the toolkit's own messages as they are, others with the
   * name of their class.
   */
  public static String sentence(Throwable thrown) {
    Throwable t = thrown;
    if (t instanceof ExceptionInInitializerError && t.getCause() != null) {
      t = t.getCause();
    }
    if (t instanceof UncheckedIOException && t.getMessage() == null && t.getCause() != null) {
      t = t.getCause();
    }
    String message = t.getMessage();
    if (message == null || message.isBlank()) {
      return t.getClass().getSimpleName() + where(t);
    }
    return isOurs(t) ? message : t.getClass().getSimpleName() + ": " + message;
  }

  private static boolean isOurs(Throwable t) {
    boolean expected =
        t instanceof IllegalArgumentException
            || t instanceof IllegalStateException
            || t instanceof UncheckedIOException;
    StackTraceElement[] stack = t.getStackTrace();
    return t.getClass().getName().startsWith(OURS)
        || (expected && stack.length > 0 && stack[0].getClassName().startsWith(OURS));
  }

  private static String where(Throwable t) {
    StackTraceElement[] stack = t.getStackTrace();
    return stack.length == 0 || isOfSnippet(stack[0])
        ? ""
        : " in " + stack[0].getClassName() + "." + stack[0].getMethodName();
  }

  static boolean isOfSnippet(StackTraceElement frame) {
    return frame.getClassName().startsWith("REPL.");
  }

  /** The stack from where it was thrown down to the code that was typed. */
  private static String trace(Throwable thrown) {
    for (Throwable t = thrown; t != null; t = t.getCause()) {
      StackTraceElement[] stack = t.getStackTrace();
      int last = stack.length;
      for (int i = 0; i < stack.length; i++) {
        if (isOfSnippet(stack[i])) {
          last = i + 1;
        }
      }
      if (last < stack.length) {
        t.setStackTrace(Arrays.copyOf(stack, last));
      }
    }
    StringWriter out = new StringWriter();
    thrown.printStackTrace(new PrintWriter(out, true));
    return out.toString().stripTrailing();
  }

  /** The stack, or null where there is none. */
  public @Nullable String traceOrNull() {
    return trace.isEmpty() ? null : trace;
  }

  @Override
  public String toString() {
    return message;
  }
}
