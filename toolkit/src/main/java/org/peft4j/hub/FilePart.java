package org.peft4j.hub;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.function.LongConsumer;

/** Some bytes of a file, telling how many were read. */
final class FilePart extends InputStream {
  private final FileChannel channel;
  private final long length;
  private final LongConsumer told;
  private long read;

  FilePart(Path file, long from, long length, LongConsumer told) {
    this.length = length;
    this.told = told;
    try {
      channel = FileChannel.open(file);
      channel.position(from);
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public int read(byte[] to, int at, int most) throws IOException {
    int n = (int) Math.min(most, length - read);
    if (n == 0 && most > 0) {
      return -1;
    }
    int got = channel.read(ByteBuffer.wrap(to, at, n));
    if (got > 0) {
      read += got;
      told.accept(read);
    }
    return got;
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
