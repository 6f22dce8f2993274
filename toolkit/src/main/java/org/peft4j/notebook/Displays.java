package org.peft4j.notebook;

import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Where this process shows content now. */
public final class Displays {
  private static final List<Supplier<@Nullable Display>> KERNELS = List.of(RapaioDisplay::find);

  private static volatile @Nullable Display chosen;

  private Displays() {}

  /**
   * The display in {@link #use}; without one, that of a kernel this process runs in, else the
   * terminal.
   */
  public static Display current() {
    Display display = chosen;
    if (display != null) {
      return display;
    }
    for (Supplier<@Nullable Display> kernel : KERNELS) {
      Display found = kernel.get();
      if (found != null) {
        chosen = found;
        return found;
      }
    }
    return Terminal.DISPLAY;
  }

  /** Takes this display from now on; null for what is found. */
  public static void use(@Nullable Display display) {
    chosen = display;
  }

  /** Made where it is needed first. */
  private static final class Terminal {
    static final Display DISPLAY = new TerminalDisplay(System.out, Progress::isVisible);
  }
}
