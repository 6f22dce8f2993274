package org.peft4j.format;

import java.io.BufferedOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Files that appear whole or not at all. The content goes to a hidden file in the same folder, is
 * forced to disk and then renamed over the target; on failure or interrupt the hidden file is
 * deleted and the target is as it was. Missing parent folders are made. What a killed process left
 * behind is swept away by the next write of the same target.
 */
public final class AtomicFiles {
  private static final AtomicLong COUNTER = new AtomicLong();
  private static final Duration STALE = Duration.ofMinutes(10);
  private static final String SUFFIX = ".tmp";

  private AtomicFiles() {}

  /** A {@link java.util.function.Consumer} that may fail with an {@link IOException}. */
  @FunctionalInterface
  public interface IOConsumer<T> {
    void accept(T t) throws IOException;
  }

  /** Writes {@code text} in UTF-8. */
  public static void writeString(Path target, CharSequence text) throws IOException {
    writeBytes(target, text.toString().getBytes(StandardCharsets.UTF_8));
  }

  public static void writeBytes(Path target, byte[] bytes) throws IOException {
    stream(target, out -> out.write(bytes));
  }

  /** Writes what {@code body} puts into the stream, which is buffered; it need not close it. */
  public static void stream(Path target, IOConsumer<OutputStream> body) throws IOException {
    channel(
        target,
        channel -> {
          OutputStream open = new BufferedOutputStream(Channels.newOutputStream(channel), 1 << 16);
          OutputStream out =
              new FilterOutputStream(open) {
                @Override
                public void write(byte[] b, int off, int len) throws IOException {
                  open.write(b, off, len);
                }

                @Override
                public void close() throws IOException {
                  flush(); // the channel is still to be forced to disk
                }
              };
          body.accept(out);
          out.flush();
        });
  }

  static void channel(Path target, IOConsumer<FileChannel> body) throws IOException {
    Path file = resolve(target);
    if (Files.isDirectory(file)) {
      throw new FileAlreadyExistsException(file + " is a directory; cannot write a file there");
    }
    Path temporary = beside(file);
    try {
      try (FileChannel channel =
          FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        body.accept(channel);
        channel.force(true);
      }
      Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(temporary);
    }
    forceDirectory(parent(file));
  }

  /**
   * Makes the directory {@code target} with what {@code body} puts into the empty folder it is
   * given. A directory that is there already stays as it is and {@code body} does not run; when two
   * processes install at once, one of them wins and both see the winner's.
   *
   * @return {@code target}
   */
  public static Path installDirectory(Path target, IOConsumer<Path> body) throws IOException {
    if (Files.isDirectory(target)) {
      return target;
    }
    if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
      throw new FileAlreadyExistsException(target + " is a file; cannot install a directory there");
    }
    Path temporary = beside(target);
    Files.createDirectory(temporary);
    try {
      body.accept(temporary);
      try (Stream<Path> made = Files.walk(temporary)) {
        for (Path path : (Iterable<Path>) made::iterator) {
          force(path);
        }
      }
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      if (!Files.isDirectory(target)) {
        throw e;
      }
    } finally {
      deleteTree(temporary);
    }
    forceDirectory(parent(target));
    return target;
  }

  /** Deletes a file or a directory with all it holds; links are not followed. */
  public static void deleteTree(Path root) throws IOException {
    if (!Files.exists(root, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    try (Stream<Path> all = Files.walk(root)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    }
  }

  /** Where a link leads: writing through a link changes what it leads to. */
  private static Path resolve(Path target) throws IOException {
    return Files.isSymbolicLink(target) && Files.exists(target) ? target.toRealPath() : target;
  }

  private static Path parent(Path file) {
    Path parent = file.toAbsolutePath().getParent();
    if (parent == null) {
      throw new IllegalArgumentException(file + ": expected a file name, found a file system root");
    }
    return parent;
  }

  /** A fresh hidden name beside {@code target}, with its folder made and swept. */
  private static Path beside(Path target) throws IOException {
    Path folder = parent(target);
    Files.createDirectories(folder);
    String prefix = "." + target.getFileName() + ".";
    sweep(folder, prefix);
    String unique =
        ProcessHandle.current().pid()
            + "-"
            + Long.toHexString(System.nanoTime())
            + COUNTER.incrementAndGet();
    return folder.resolve(prefix + unique + SUFFIX);
  }

  /** Deletes what writers of this target left that are gone: not running here, and long silent. */
  private static void sweep(Path folder, String prefix) throws IOException {
    try (DirectoryStream<Path> siblings =
        Files.newDirectoryStream(folder, p -> p.getFileName().toString().startsWith(prefix))) {
      for (Path sibling : siblings) {
        String rest = sibling.getFileName().toString().substring(prefix.length());
        if (rest.matches("\\d{1,18}-[0-9a-f]+" + Pattern.quote(SUFFIX))
            && abandoned(sibling, rest)) {
          deleteTree(sibling);
        }
      }
    }
  }

  private static boolean abandoned(Path file, String rest) throws IOException {
    long pid = Long.parseLong(rest.substring(0, rest.indexOf('-')));
    Instant touched = Files.getLastModifiedTime(file, LinkOption.NOFOLLOW_LINKS).toInstant();
    return touched.isBefore(Instant.now().minus(STALE)) && ProcessHandle.of(pid).isEmpty();
  }

  private static void force(Path path) throws IOException {
    if (Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)) {
      try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
        channel.force(true);
      }
    }
  }

  /** Makes the rename itself durable, where the system lets one open a directory. */
  private static void forceDirectory(Path folder) {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (IOException e) {
      // Windows does not; the rename is then as durable as the system makes it
    }
  }
}
