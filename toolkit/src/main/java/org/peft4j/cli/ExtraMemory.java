package org.peft4j.cli;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * How much memory of its own this process comes to hold beyond what it had, looked at every few
 * milliseconds. Files that are mapped do not count: the system can drop them.
 */
final class ExtraMemory implements AutoCloseable {
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final String KEY = "RssAnon:";
  private static final long MILLISECONDS = 2;

  private final @Nullable RandomAccessFile status;
  private final byte[] text = new byte[4096];
  private final double before;
  private volatile double most;
  private volatile boolean stopped;
  private final Thread watcher = new Thread(this::look, "memory watcher");

  private ExtraMemory() throws IOException {
    status = Files.exists(STATUS) ? new RandomAccessFile(STATUS.toFile(), "r") : null;
    System.gc();
    before = resident();
    most = before;
    watcher.setDaemon(true);
  }

  /** Begins to look. */
  static ExtraMemory watch() {
    try {
      ExtraMemory memory = new ExtraMemory();
      memory.watcher.start();
      return memory;
    } catch (IOException e) {
      throw unreadable(e);
    }
  }

  /** Largest so far, in bytes; NaN where the system does not tell. */
  double peak() {
    return most - before;
  }

  private void look() {
    while (!stopped) {
      try {
        most = Math.max(most, resident());
        Thread.sleep(MILLISECONDS);
      } catch (InterruptedException e) {
        return;
      } catch (IOException e) {
        throw unreadable(e);
      }
    }
  }

  /** Makes little garbage: the garbage would be counted too. */
  private double resident() throws IOException {
    if (status == null) {
      return Double.NaN;
    }
    status.seek(0);
    String all = new String(text, 0, Math.max(0, status.read(text)), StandardCharsets.ISO_8859_1);
    int at = all.indexOf(KEY) + KEY.length();
    int end = all.indexOf("kB", at);
    return 1024 * Double.parseDouble(all.substring(at, end).trim());
  }

  private static UncheckedIOException unreadable(IOException e) {
    return new UncheckedIOException(STATUS + ": cannot be read: " + e.getMessage(), e);
  }

  @Override
  public void close() {
    stopped = true;
    try {
      watcher.join();
      if (status != null) {
        status.close();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (IOException e) {
      throw unreadable(e);
    }
  }
}
