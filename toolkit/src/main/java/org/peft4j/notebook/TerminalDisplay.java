package org.peft4j.notebook;

import java.io.PrintStream;
import java.util.HashMap;
import java.util.Map;
import java.util.function.BooleanSupplier;

/**
 * Prints text. What changes is printed as it grows, if somebody looks at a terminal; text that does
 * not continue what stands there is left out.
 */
final class TerminalDisplay implements Display {
  private final PrintStream out;
  private final BooleanSupplier isTerminal;
  private final Map<String, String> shown = new HashMap<>();

  TerminalDisplay(PrintStream out, BooleanSupplier isTerminal) {
    this.out = out;
    this.isTerminal = isTerminal;
  }

  @Override
  public void show(Rich content) {
    out.println(content);
  }

  @Override
  public synchronized void update(String id, Rich content) {
    if (!isTerminal.getAsBoolean()) {
      return;
    }
    String before = shown.getOrDefault(id, "");
    String now = content.toString();
    if (now.startsWith(before)) {
      out.print(now.substring(before.length()));
      out.flush();
      shown.put(id, now);
    }
  }

  @Override
  public boolean isRich() {
    return false;
  }
}
