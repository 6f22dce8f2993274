package org.peft4j.onnx;

import java.util.Arrays;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.peft4j.tensor.Composite;

/** Where in Java an operation was called: {@code Linear.java:83, called from MyModel.java:41}. */
record CallSite(String text) {
  private static final StackWalker WALKER = StackWalker.getInstance();

  /** The classes between a forward and here. */
  private static final Set<String> RECORDER =
      Stream.of(
              CallSite.class,
              Trace.class,
              TracedArray.class,
              TracedInternals.class,
              TracedManager.class,
              TracedParameters.class,
              Tracing.class,
              Composite.class,
              Call.class,
              Operators.class,
              Elementwise.class,
              Reductions.class,
              Layout.class,
              Indexing.class,
              Gathering.class,
              Neural.class,
              Recurrent.class,
              Creation.class)
          .map(Class::getName)
          .collect(Collectors.toUnmodifiableSet());

  static CallSite here() {
    return WALKER.walk(frames -> of(frames.map(StackWalker.StackFrame::toStackTraceElement)));
  }

  static CallSite of(Throwable thrown) {
    return of(Arrays.stream(thrown.getStackTrace()));
  }

  /** The first line of a model or a library, and in the latter case the model's that called it. */
  private static CallSite of(Stream<StackTraceElement> frames) {
    StackTraceElement[] found = new StackTraceElement[2];
    frames
        .filter(f -> !plumbing(f.getClassName()))
        .takeWhile(f -> found[1] == null)
        .forEach(
            f -> {
              boolean library = library(f.getClassName());
              if (found[0] == null) {
                found[0] = f;
              }
              if (!library) {
                found[1] = f;
              }
            });
    String text = place(found[0]);
    boolean direct = found[1] == null || found[1].equals(found[0]);
    return new CallSite(direct ? text : text + ", called from " + place(found[1]));
  }

  private static String place(@Nullable StackTraceElement f) {
    return f == null
        ? "?"
        : (f.getFileName() != null ? f.getFileName() : f.getClassName()) + ":" + f.getLineNumber();
  }

  private static boolean plumbing(String className) {
    int nested = className.indexOf('$');
    return RECORDER.contains(nested > 0 ? className.substring(0, nested) : className)
        || className.contains("$Proxy")
        || className.startsWith("java.")
        || className.startsWith("jdk.")
        || className.startsWith("sun.")
        || className.startsWith("ai.djl.ndarray.")
        || className.startsWith("ai.djl.engine.")
        || className.startsWith("ai.djl.pytorch.");
  }

  /** Code that is called on behalf of a model: the model's own line is worth naming as well. */
  private static boolean library(String className) {
    return className.startsWith("ai.djl.")
        || className.startsWith("org.peft4j.tensor.")
        || className.startsWith("org.peft4j.spi.");
  }

  @Override
  public String toString() {
    return text;
  }
}
