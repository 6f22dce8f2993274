package org.peft4j.format;

import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import org.jspecify.annotations.Nullable;

/**
 * Writes the body of an answer to a file as it arrives, on the HTTP client's threads; whoever waits
 * can be interrupted at any time, which a read from the client's own stream cannot.
 */
final class PartWriter implements HttpResponse.BodySubscriber<Long>, AutoCloseable {
  private final Path file;
  private final long begin;
  private final CompletableFuture<Long> end = new CompletableFuture<>();
  private Flow.@Nullable Subscription subscription;
  private @Nullable FileChannel channel;
  private boolean closed;
  private volatile long position;

  /** Keeps the first {@code begin} bytes of {@code file}, and goes on behind them. */
  PartWriter(Path file, long begin) {
    this.file = file;
    this.begin = begin;
    position = begin;
  }

  /** Bytes in the file so far. */
  long position() {
    return position;
  }

  /** Completes with the length of the file when the body has ended. */
  @Override
  public CompletionStage<Long> getBody() {
    return end;
  }

  @Override
  public synchronized void onSubscribe(Flow.Subscription given) {
    subscription = given;
    if (closed) {
      given.cancel();
      return;
    }
    try {
      FileChannel open =
          FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      channel = open;
      open.truncate(begin).position(begin);
      given.request(1);
    } catch (IOException e) {
      fail(e);
    }
  }

  @Override
  public synchronized void onNext(List<ByteBuffer> buffers) {
    FileChannel out = channel;
    Flow.Subscription source = subscription;
    if (closed || out == null || source == null) {
      return;
    }
    try {
      for (ByteBuffer buffer : buffers) {
        while (buffer.hasRemaining()) {
          position += out.write(buffer);
        }
      }
      source.request(1);
    } catch (IOException e) {
      fail(e);
    }
  }

  private void fail(IOException e) {
    if (subscription != null) {
      subscription.cancel();
    }
    onError(e);
  }

  @Override
  public synchronized void onError(Throwable e) {
    close();
    end.completeExceptionally(e);
  }

  @Override
  public synchronized void onComplete() {
    try {
      if (channel != null) {
        channel.force(true);
      }
      close();
      end.complete(position);
    } catch (IOException e) {
      onError(e);
    }
  }

  /** Nothing is written from here on. */
  @Override
  public synchronized void close() {
    closed = true;
    try {
      if (channel != null) {
        channel.close();
      }
    } catch (IOException e) {
      end.completeExceptionally(e);
    }
  }
}
