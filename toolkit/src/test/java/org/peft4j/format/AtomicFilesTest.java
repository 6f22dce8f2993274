package org.peft4j.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("fast")
class AtomicFilesTest {
  @TempDir Path folder;

  private List<String> names() throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      return all.filter(p -> !p.equals(folder))
          .map(p -> folder.relativize(p).toString())
          .sorted()
          .toList();
    }
  }

  @Test
  void writes_texts_and_bytes_and_makes_folders() throws Exception {
    AtomicFiles.writeString(folder.resolve("a/b/c.txt"), "ä");
    assertThat(folder.resolve("a/b/c.txt")).hasBinaryContent(new byte[] {(byte) 0xc3, (byte) 0xa4});
    AtomicFiles.writeBytes(folder.resolve("d"), new byte[] {1, 2});
    AtomicFiles.writeBytes(folder.resolve("d"), new byte[] {3});
    assertThat(folder.resolve("d")).hasBinaryContent(new byte[] {3});
    assertThat(names()).containsExactly("a", "a/b", "a/b/c.txt", "d");
  }

  @Test
  void shows_nothing_before_the_end_even_if_the_stream_is_closed_early() throws Exception {
    Path target = folder.resolve("t");
    AtomicFiles.stream(
        target,
        out -> {
          out.write(new byte[100_000]);
          out.close();
          assertThat(target).doesNotExist();
          assertThat(names()).hasSize(1).allMatch(n -> n.startsWith(".t.") && n.endsWith(".tmp"));
        });
    assertThat(target).hasSize(100_000);
    assertThat(names()).containsExactly("t");
  }

  @Test
  void leaves_the_old_content_and_nothing_else_after_a_failure() throws Exception {
    Path target = folder.resolve("t");
    AtomicFiles.writeString(target, "old");
    assertThatThrownBy(
            () ->
                AtomicFiles.stream(
                    target,
                    out -> {
                      out.write(new byte[100_000]);
                      throw new IOException("no space left");
                    }))
        .hasMessage("no space left");
    assertThatThrownBy(
            () ->
                AtomicFiles.stream(
                    target,
                    out -> {
                      throw new OutOfMemoryError("test");
                    }))
        .hasMessage("test");
    assertThat(target).hasContent("old");
    assertThat(names()).containsExactly("t");
  }

  @Test
  void leaves_nothing_after_an_interrupt() throws Exception {
    Path target = folder.resolve("t");
    CountDownLatch started = new CountDownLatch(1);
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    Thread writer =
        new Thread(
            () -> {
              try {
                AtomicFiles.stream(
                    target,
                    out -> {
                      started.countDown();
                      while (true) {
                        out.write(new byte[1000]);
                      }
                    });
              } catch (Throwable e) {
                thrown.set(e);
              }
            });
    writer.start();
    started.await();
    writer.interrupt();
    writer.join();
    assertThat(thrown.get()).isInstanceOf(java.nio.channels.ClosedByInterruptException.class);
    assertThat(names()).isEmpty();
  }

  /** Writes without end; a test kills it. */
  public static final class EndlessWriter {
    public static void main(String[] args) throws IOException {
      AtomicFiles.stream(
          Path.of(args[0]),
          out -> {
            out.write(new byte[1 << 20]);
            out.flush();
            System.out.println("writing");
            System.out.flush();
            while (true) {
              out.write(new byte[1000]);
              try {
                Thread.sleep(5);
              } catch (InterruptedException e) {
                return;
              }
            }
          });
    }
  }

  @Test
  void a_killed_process_leaves_no_half_file_and_the_next_write_sweeps() throws Exception {
    Path target = folder.resolve("t");
    AtomicFiles.writeString(target, "old");
    Process process = Fixtures.start(EndlessWriter.class, target.toString());
    try (var out = process.inputReader()) {
      assertThat(out.readLine()).isEqualTo("writing");
    } finally {
      process.destroyForcibly().waitFor();
    }
    assertThat(target).hasContent("old");
    assertThat(names()).hasSize(2);
    AtomicFiles.writeString(target, "new"); // what was left is too fresh to be called abandoned
    assertThat(names()).hasSize(2);
    Path left = folder.resolve(names().get(0));
    Files.setLastModifiedTime(left, FileTime.from(Instant.now().minus(Duration.ofHours(1))));
    AtomicFiles.writeString(target, "newer");
    assertThat(names()).containsExactly("t");
    assertThat(target).hasContent("newer");
  }

  @Test
  void sweeps_only_its_own_leavings_of_dead_processes() throws Exception {
    FileTime old = FileTime.from(Instant.now().minus(Duration.ofHours(1)));
    String alive = "." + "t." + ProcessHandle.current().pid() + "-1f.tmp";
    for (String name :
        List.of(alive, ".t.notes.tmp", ".t2.999999999-1.tmp", "t.tmp", ".t.1-1.bak")) {
      Files.writeString(folder.resolve(name), "mine");
      Files.setLastModifiedTime(folder.resolve(name), old);
    }
    AtomicFiles.writeString(folder.resolve("t"), "x");
    assertThat(names())
        .containsExactlyInAnyOrder(
            alive, ".t.notes.tmp", ".t2.999999999-1.tmp", "t.tmp", ".t.1-1.bak", "t");
  }

  @Test
  void writes_through_a_link_and_refuses_a_directory() throws Exception {
    Files.writeString(folder.resolve("real"), "old");
    Files.createSymbolicLink(folder.resolve("link"), Path.of("real"));
    AtomicFiles.writeString(folder.resolve("link"), "new");
    assertThat(folder.resolve("real")).hasContent("new");
    assertThat(folder.resolve("link")).isSymbolicLink();
    assertThatThrownBy(() -> AtomicFiles.writeString(folder, "x"))
        .isInstanceOf(FileAlreadyExistsException.class)
        .hasMessageContaining("is a directory");
  }

  @Test
  void installs_a_directory_whole_and_once() throws Exception {
    Path target = folder.resolve("d");
    AtomicFiles.installDirectory(
        target,
        temporary -> {
          Files.createDirectories(temporary.resolve("x"));
          Files.writeString(temporary.resolve("x/y"), "1");
          assertThat(target).doesNotExist();
        });
    assertThat(names()).containsExactly("d", "d/x", "d/x/y");
    AtomicFiles.installDirectory(
        target,
        temporary -> {
          throw new IOException("must not run");
        });
    assertThat(target.resolve("x/y")).hasContent("1");
  }

  @Test
  void a_failed_install_leaves_nothing() throws Exception {
    assertThatThrownBy(
            () ->
                AtomicFiles.installDirectory(
                    folder.resolve("d"),
                    temporary -> {
                      Files.writeString(temporary.resolve("f"), "1");
                      throw new IllegalStateException("broken");
                    }))
        .hasMessage("broken");
    assertThat(names()).isEmpty();
    Files.writeString(folder.resolve("f"), "");
    assertThatThrownBy(() -> AtomicFiles.installDirectory(folder.resolve("f"), t -> {}))
        .isInstanceOf(FileAlreadyExistsException.class);
  }

  @Test
  void of_two_installs_at_once_one_wins() throws Exception {
    Path target = folder.resolve("d");
    AtomicFiles.installDirectory(
        target,
        temporary -> {
          Files.writeString(temporary.resolve("f"), "slow");
          AtomicFiles.installDirectory(target, t -> Files.writeString(t.resolve("f"), "fast"));
        });
    assertThat(target.resolve("f")).hasContent("fast");
    assertThat(names()).containsExactly("d", "d/f");
  }

  @Test
  void deleting_a_tree_does_not_follow_links() throws Exception {
    Files.writeString(Files.createDirectory(folder.resolve("keep")).resolve("f"), "1");
    Path tree = Files.createDirectory(folder.resolve("tree"));
    Files.createSymbolicLink(tree.resolve("link"), folder.resolve("keep"));
    AtomicFiles.deleteTree(tree);
    assertThat(names()).containsExactly("keep", "keep/f");
  }
}
