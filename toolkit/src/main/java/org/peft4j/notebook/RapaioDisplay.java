package org.peft4j.notebook;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The page of rapaio-jupyter-kernel, by the {@code display} and {@code updateDisplay} that it
 * offers to cells; it shows one form of each content.
 */
final class RapaioDisplay implements Display {
  private static final String GLOBAL = "org.rapaio.jupyter.kernel.global.Global";

  private final MethodHandle show;
  private final MethodHandle update;
  private final Map<String, String> theirs = new HashMap<>();

  private RapaioDisplay(MethodHandle show, MethodHandle update) {
    this.show = show;
    this.update = update;
  }

  /** The display, where this process is that kernel; else null. */
  static @Nullable Display find() {
    return of(GLOBAL);
  }

  static @Nullable Display of(String className) {
    try {
      Class<?> global = Class.forName(className);
      MethodHandles.Lookup lookup = MethodHandles.publicLookup();
      MethodType shows = MethodType.methodType(String.class, String.class, Object.class);
      MethodType updates =
          MethodType.methodType(void.class, String.class, String.class, Object.class);
      return new RapaioDisplay(
          lookup.findStatic(global, "display", shows),
          lookup.findStatic(global, "updateDisplay", updates));
    } catch (ReflectiveOperationException | LinkageError e) {
      return null; // not that kernel, or one that shows in another way
    }
  }

  @Override
  public void show(Rich content) {
    display(content);
  }

  private String display(Rich content) {
    String type = type(content);
    return (String) call(show, type, Rich.encoded(Objects.requireNonNull(content.form(type))));
  }

  @Override
  public synchronized void update(String id, Rich content) {
    String known = theirs.get(id);
    if (known == null) {
      theirs.put(id, display(content));
    } else {
      String type = type(content);
      call(update, known, type, Rich.encoded(Objects.requireNonNull(content.form(type))));
    }
  }

  @Override
  public boolean isRich() {
    return true;
  }

  private static String type(Rich content) {
    return Stream.of(Rich.HTML, Rich.PNG)
        .filter(t -> content.form(t) != null)
        .findFirst()
        .orElse(Rich.TEXT);
  }

  private static Object call(MethodHandle handle, Object... arguments) {
    try {
      return handle.invokeWithArguments(arguments);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException("the kernel cannot show this: " + e.getMessage(), e);
    }
  }
}
