package org.peft4j.onnx;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
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
    return WALKER.walk(
        frames -> {
          List<StackWalker.StackFrame> found = found(frames, StackWalker.StackFrame::getClassName);
          return of(found.stream().map(StackWalker.StackFrame::toStackTraceElement).toList());
        });
  }

  static CallSite of(Throwable thrown) {
    return of(found(Arrays.stream(thrown.getStackTrace()), StackTraceElement::getClassName));
  }

  /** The first line of a model or a library, and in the latter case the model's that called it. */
  private static <T> List<T> found(Stream<T> frames, Function<T, String> className) {
    List<T> found = new ArrayList<>();
    for (Iterator<T> i = frames.iterator(); i.hasNext(); ) {
      T frame = i.next();
      String name = className.apply(frame);
      if (plumbing(name)) {
        continue;
      }
      if (!library(name)) {
        found.add(frame);
        return found;
      }
      if (found.isEmpty()) {
        found.add(frame);
      }
    }
    return found;
  }

  private static CallSite of(List<StackTraceElement> found) {
    String text = found.isEmpty() ? "?" : place(found.get(0));
    return new CallSite(
        found.size() < 2 ? text : text + ", called from " + place(found.get(found.size() - 1)));
  }

  private static String place(StackTraceElement f) {
    return (f.getFileName() != null ? f.getFileName() : f.getClassName()) + ":" + f.getLineNumber();
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
