package org.peft4j.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * How much memory of its own this process comes to hold beyond what it had, looked at every few
 * milliseconds. Files that are mapped do not count: the system can drop them.
 */
final class ExtraMemory implements AutoCloseable {
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final long MILLISECONDS = 2;

  private final double before;
  private volatile double most;
  private volatile boolean stopped;
  private final Thread watcher = new Thread(this::look, "memory watcher");

  private ExtraMemory() {
    System.gc();
    before = resident();
    most = before;
    watcher.setDaemon(true);
  }

  /** Begins to look. */
  static ExtraMemory watch() {
    ExtraMemory memory = new ExtraMemory();
    memory.watcher.start();
    return memory;
  }

  /** Largest so far, in bytes; NaN where the system does not tell. */
  double peak() {
    return most - before;
  }

  private void look() {
    while (!stopped) {
      most = Math.max(most, resident());
      try {
        Thread.sleep(MILLISECONDS);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  private static double resident() {
    if (!Files.exists(STATUS)) {
      return Double.NaN;
    }
    try {
      return Files.readAllLines(STATUS).stream()
          .filter(l -> l.startsWith("RssAnon:"))
          .mapToDouble(l -> 1024 * Double.parseDouble(l.replaceAll("\\D+", "")))
          .findFirst()
          .orElse(Double.NaN);
    } catch (IOException e) {
      throw new UncheckedIOException(STATUS + ": cannot be read: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    stopped = true;
    try {
      watcher.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
