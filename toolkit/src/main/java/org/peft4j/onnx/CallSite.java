package org.peft4j.onnx;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Where in Java an operation was called: {@code Linear.java:83, called from MyModel.java:41}. */
record CallSite(String text) {
  private static final StackWalker WALKER =
      StackWalker.getInstance(StackWalker.Option.RETAIN_CLASS_REFERENCE);

  /** The classes between a call and here. */
  private static final Set<Class<?>> RECORDER =
      Set.of(
          CallSite.class,
          Trace.class,
          TracedArray.class,
          TracedInternals.class,
          TracedManager.class,
          TracedParameters.class,
          Tracing.class,
          Call.class,
          Operators.class,
          Elementwise.class,
          Reductions.class,
          Layout.class,
          Indexing.class,
          Neural.class,
          Recurrent.class,
          Creation.class);

  static CallSite here() {
    List<String> shown = new ArrayList<>();
    WALKER.walk(
        frames -> {
          frames
              .filter(f -> !plumbing(f.getDeclaringClass()))
              .takeWhile(f -> shown.size() < 2)
              .forEach(
                  f -> {
                    boolean library = library(f.getDeclaringClass());
                    if (shown.isEmpty()) {
                      shown.add(place(f));
                      if (!library) {
                        shown.add("");
                      }
                    } else if (!library) {
                      shown.add(place(f));
                    }
                  });
          return null;
        });
    if (shown.isEmpty()) {
      return new CallSite("?");
    }
    boolean caller = shown.size() > 1 && !shown.get(1).isEmpty();
    return new CallSite(shown.get(0) + (caller ? ", called from " + shown.get(1) : ""));
  }

  private static String place(StackWalker.StackFrame f) {
    return (f.getFileName() != null ? f.getFileName() : f.getClassName()) + ":" + f.getLineNumber();
  }

  private static boolean plumbing(Class<?> c) {
    String name = c.getName();
    return RECORDER.contains(c.getNestHost())
        || Proxy.isProxyClass(c)
        || name.startsWith("java.")
        || name.startsWith("jdk.")
        || name.startsWith("ai.djl.ndarray.")
        || name.startsWith("ai.djl.pytorch.");
  }

  /** Code that is called on behalf of a model: the model's own line is worth naming as well. */
  private static boolean library(Class<?> c) {
    String name = c.getName();
    return name.startsWith("ai.djl.")
        || name.startsWith("org.peft4j.tensor.")
        || name.startsWith("org.peft4j.spi.");
  }

  @Override
  public String toString() {
    return text;
  }
}
