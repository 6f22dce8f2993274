package org.peft4j.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/** Reads the head of a GGUF file forwards; never takes more memory than the file has bytes. */
final class GgufCursor {
  static final String FIX = "the file is damaged or only half there; copy or download it again";

  /** Bytes of a head at most; the largest vocabularies take a sixteenth of it. */
  private static final long LONGEST = 256L << 20;

  private final Path file;
  private final FileChannel channel;
  private final long size;
  private final ByteBuffer window =
      ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN).limit(0);
  private long windowEnd;

  GgufCursor(Path file, FileChannel channel) throws IOException {
    this.file = file;
    this.channel = channel;
    size = channel.size();
  }

  long position() {
    return windowEnd - window.remaining();
  }

  /** Bytes between here and the end of the file. */
  long remaining() {
    return size - position();
  }

  int uint8(String what) throws IOException {
    need(1, what);
    return window.get() & 0xff;
  }

  int int32(String what) throws IOException {
    need(4, what);
    return window.getInt();
  }

  int int16(String what) throws IOException {
    need(2, what);
    return window.getShort();
  }

  long int64(String what) throws IOException {
    need(8, what);
    return window.getLong();
  }

  /** A count of things that take at least {@code least} bytes each: no more than fit. */
  int count(String what, int least) throws IOException {
    long n = int64(what);
    if (n < 0 || n > remaining() / least || n > Integer.MAX_VALUE / 8) {
      throw bad(
          what,
          "at most " + remaining() / least + ", what the file holds",
          Long.toUnsignedString(n));
    }
    return (int) n;
  }

  String text(String what) throws IOException {
    int length = count(what + ": length", 1);
    byte[] bytes = bytes(length, what);
    return Json.utf8(file + ": " + what, ByteBuffer.wrap(bytes));
  }

  /** The next {@code n} bytes, of which {@link #count} has said that they are there. */
  byte[] bytes(int n, String what) throws IOException {
    if (position() + n > LONGEST) {
      throw bad(what, "a head of at most " + LONGEST + " bytes", position() + n);
    }
    byte[] out = new byte[n];
    int done = Math.min(n, window.remaining());
    window.get(out, 0, done);
    if (done < n) {
      SafetensorsHeader.readFully(file, channel, windowEnd, ByteBuffer.wrap(out, done, n - done));
      windowEnd += n - done;
      window.limit(0);
    }
    return out;
  }

  private void need(int n, String what) throws IOException {
    if (window.remaining() >= n) {
      return;
    }
    if (remaining() < n) {
      throw bad(what, n + " more bytes", "the end of the file at byte " + size);
    }
    if (position() > LONGEST) {
      throw bad(what, "a head of at most " + LONGEST + " bytes", position());
    }
    long from = position();
    window.clear().limit((int) Math.min(window.capacity(), size - from));
    SafetensorsHeader.readFully(file, channel, from, window);
    window.flip();
    windowEnd = from + window.limit();
  }

  IllegalArgumentException bad(String what, String expected, Object found) {
    return Malformed.of(file, what, expected, found, FIX);
  }
}
