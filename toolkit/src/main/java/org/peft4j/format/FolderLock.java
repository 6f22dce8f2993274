package org.peft4j.format;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One holder at a time for a file that is being made, among the threads of this process and among
 * processes. The operating system drops the lock of a process that dies; the empty hidden file
 * stays, as deleting it would let two processes lock different files of one name.
 */
final class FolderLock implements AutoCloseable {
  private static final Map<Path, ReentrantLock> HERE = new ConcurrentHashMap<>();

  private final ReentrantLock here;
  private final FileChannel channel;
  private final FileLock lock;

  private FolderLock(ReentrantLock here, FileChannel channel, FileLock lock) {
    this.here = here;
    this.channel = channel;
    this.lock = lock;
  }

  /** The hidden file beside {@code target} that is locked while that is made. */
  static Path of(Path target) {
    return target.resolveSibling("." + target.getFileName() + ".lock");
  }

  /** Waits until no one else holds {@code lock}, a file whose folder exists. */
  static FolderLock take(Path lock) throws IOException {
    Path file = lock.toAbsolutePath();
    ReentrantLock here = HERE.computeIfAbsent(file, f -> new ReentrantLock());
    here.lock();
    FileChannel channel = null;
    FileLock held = null;
    try {
      channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      held = channel.lock();
      return new FolderLock(here, channel, held);
    } finally {
      if (held == null) {
        try {
          if (channel != null) {
            channel.close();
          }
        } finally {
          here.unlock();
        }
      }
    }
  }

  @Override
  public void close() throws IOException {
    try {
      lock.release();
      channel.close();
    } finally {
      here.unlock();
    }
  }
}
