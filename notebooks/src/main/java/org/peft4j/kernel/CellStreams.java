package org.peft4j.kernel;

import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.dflib.jjava.jupyter.channels.ShellReplyEnvironment;
import org.dflib.jjava.jupyter.messages.publish.PublishStream;
import org.jspecify.annotations.Nullable;

/**
 * Standard output and error of cells: collected, and sent to the page a few times a second and at
 * the end of the cell, so that neither long runs are silent nor many short prints are many
 * messages.
 */
final class CellStreams {
  private static final int PERIOD_MILLIS = 100;
  private static final int MOST = 1 << 16;

  private final Collected out = new Collected(PublishStream.StreamType.OUT);
  private final Collected err = new Collected(PublishStream.StreamType.ERR);
  private @Nullable ShellReplyEnvironment cell;

  CellStreams() {
    ScheduledExecutorService clock =
        Executors.newSingleThreadScheduledExecutor(
            r -> {
              Thread t = new Thread(r, "cell output");
              t.setDaemon(true);
              return t;
            });
    var unused =
        clock.scheduleWithFixedDelay(
            this::flush, PERIOD_MILLIS, PERIOD_MILLIS, TimeUnit.MILLISECONDS);
  }

  /** Output goes below this cell from now on. */
  void begin(ShellReplyEnvironment next) {
    flush();
    synchronized (this) {
      cell = next;
    }
    System.setOut(out.printer);
    System.setErr(err.printer);
  }

  /** What is left of a cell's output goes out before its result, or a question. */
  void end() {
    out.printer.flush();
    err.printer.flush();
    flush();
  }

  private void flush() {
    out.send();
    err.send();
  }

  private synchronized void publish(PublishStream text) {
    if (cell != null) {
      cell.publish(text);
    }
  }

  private final class Collected extends OutputStream {
    private final PublishStream.StreamType type;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    final PrintStream printer = new PrintStream(this, false, StandardCharsets.UTF_8);

    Collected(PublishStream.StreamType type) {
      this.type = type;
    }

    @Override
    public void write(int b) {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] b, int from, int length) {
      boolean full;
      synchronized (bytes) {
        bytes.write(b, from, length);
        full = bytes.size() > MOST;
      }
      if (full) {
        send();
      }
    }

    private void send() {
      String text;
      synchronized (bytes) {
        byte[] all = bytes.toByteArray();
        int whole = wholeCharacters(all);
        if (whole == 0) {
          return;
        }
        text = new String(all, 0, whole, StandardCharsets.UTF_8);
        bytes.reset();
        bytes.write(all, whole, all.length - whole);
      }
      publish(new PublishStream(type, text));
    }
  }

  /** How many bytes end with a whole character. */
  private static int wholeCharacters(byte[] utf8) {
    int i = utf8.length;
    int back = 0;
    while (i > 0 && back < 3 && (utf8[i - 1] & 0xC0) == 0x80) {
      i--;
      back++;
    }
    if (i == 0) {
      return utf8.length;
    }
    int lead = utf8[i - 1] & 0xFF;
    int needed = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    return needed > back ? i - 1 : utf8.length;
  }
}
