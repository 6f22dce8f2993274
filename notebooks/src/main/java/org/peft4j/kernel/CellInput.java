package org.peft4j.kernel;

import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Standard input of cells: a line at a time, asked for on the page when it is read. */
final class CellInput extends InputStream {
  private byte[] line = {};
  private int next;
  private @Nullable Supplier<String> page;

  /**
   * What is read from now on.
   *
   * @param asks the page for a line; null where it takes none
   */
  synchronized void begin(@Nullable Supplier<String> asks) {
    page = asks;
    line = new byte[0];
    next = 0;
    System.setIn(this);
  }

  @Override
  public synchronized int available() {
    return line.length - next;
  }

  @Override
  public synchronized int read() {
    if (available() == 0) {
      ask();
    }
    return line[next++] & 0xFF;
  }

  /** No more than a line, or readers would wait for one that nobody types. */
  @Override
  public synchronized int read(byte[] to, int from, int length) {
    if (length == 0) {
      return 0;
    }
    if (available() == 0) {
      ask();
    }
    int n = Math.min(length, available());
    System.arraycopy(line, next, to, from, n);
    next += n;
    return n;
  }

  private void ask() {
    if (page == null) {
      throw new IllegalStateException( // which a Scanner lets through
          "nobody is there to type: this page is run without a reader\nfix: give the value in the cell, or run the page in Jupyter");
    }
    line = page.get().getBytes(StandardCharsets.UTF_8);
    next = 0;
  }
}
