package org.peft4j.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("fast")
class DownloadsTest {
  private static final byte[] CONTENT = new byte[300_000];
  private static final Duration LONG = Duration.ofMinutes(5);
  private static final byte[] OTHER = new byte[300_000];

  static {
    new Random(1).nextBytes(CONTENT);
    new Random(2).nextBytes(OTHER);
  }

  @TempDir Path folder;
  private HttpServer server;
  private ExecutorService threads;
  private final List<String> requests = Collections.synchronizedList(new ArrayList<>());
  private final List<Long> pauses = Collections.synchronizedList(new ArrayList<>());
  private final List<long[]> progress = Collections.synchronizedList(new ArrayList<>());
  private final CountDownLatch told = new CountDownLatch(1);
  private Path target;

  /** What the server does at its n-th request. */
  private interface Answer {
    void give(HttpExchange exchange, int n) throws IOException;
  }

  @BeforeEach
  void start() throws IOException {
    threads = Executors.newCachedThreadPool();
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    server.start();
    target = folder.resolve("deep/file.bin");
  }

  @AfterEach
  void stop() {
    server.stop(0);
    threads.shutdownNow();
  }

  private URI uri() {
    return URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/file");
  }

  private void serve(Answer answer) {
    server.createContext(
        "/",
        exchange -> {
          try (exchange) {
            int n;
            synchronized (requests) {
              n = requests.size();
              String range = exchange.getRequestHeaders().getFirst("Range");
              String condition = exchange.getRequestHeaders().getFirst("If-Range");
              requests.add(range + " " + condition);
            }
            answer.give(exchange, n);
          }
        });
  }

  private Download download(@Nullable String sha256) {
    return Download.beside(target, uri(), sha256 == null ? null : Checksum.sha256(sha256));
  }

  private Path fetch(@Nullable String sha256) throws IOException {
    return fetch(sha256, 4, LONG);
  }

  private Path fetch(@Nullable String sha256, int attempts) throws IOException {
    return fetch(sha256, attempts, LONG);
  }

  private Path fetch(@Nullable String sha256, int attempts, Duration silence) throws IOException {
    return Downloads.fetch(
        download(sha256),
        (bytes, total) -> {
          progress.add(new long[] {bytes, total});
          if (bytes >= 1000) {
            told.countDown();
          }
        },
        new Patience(
            attempts, Duration.ofMillis(100), Duration.ofMillis(350), silence, pauses::add));
  }

  private static void send(HttpExchange exchange, int status, byte[] body) throws IOException {
    exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
    exchange.getResponseBody().write(body);
  }

  /** Announces {@code length} bytes, sends fewer and hangs up. */
  private static void breakOff(HttpExchange exchange, int status, int length, byte[] body)
      throws IOException {
    exchange.sendResponseHeaders(status, length);
    exchange.getResponseBody().write(body);
    exchange.getResponseBody().flush();
    throw new IOException("breaks off");
  }

  /** The rest of {@code content} that a Range asks for, as a good server gives it. */
  private static void sendRest(HttpExchange exchange, byte[] content) throws IOException {
    String range = exchange.getRequestHeaders().getFirst("Range");
    if (range == null) {
      send(exchange, 200, content);
      return;
    }
    int begin = Integer.parseInt(range.replaceAll("\\D", ""));
    exchange
        .getResponseHeaders()
        .set("Content-Range", "bytes " + begin + "-" + (content.length - 1) + "/" + content.length);
    send(exchange, 206, Arrays.copyOfRange(content, begin, content.length));
  }

  private static String sha256(byte[] content) throws Exception {
    return java.util.HexFormat.of()
        .formatHex(java.security.MessageDigest.getInstance("SHA-256").digest(content));
  }

  private List<String> files() throws IOException {
    try (Stream<Path> files = Files.list(target.getParent())) {
      return files.map(f -> f.getFileName().toString()).sorted().toList();
    }
  }

  private static void tag(HttpExchange exchange, String tag) {
    exchange.getResponseHeaders().set("ETag", tag);
  }

  @Test
  void fetches_once_and_tells_its_progress() throws Exception {
    serve(
        (exchange, n) -> {
          exchange.sendResponseHeaders(200, CONTENT.length);
          exchange.getResponseBody().write(CONTENT, 0, 1000);
          exchange.getResponseBody().flush();
          await(told);
          exchange.getResponseBody().write(CONTENT, 1000, CONTENT.length - 1000);
        });
    assertThat(fetch(sha256(CONTENT))).isEqualTo(target).hasBinaryContent(CONTENT);
    assertThat(progress).anySatisfy(p -> assertThat(p).containsExactly(1000, 300_000));
    assertThat(progress.get(progress.size() - 1)).containsExactly(300_000, 300_000);
    assertThat(progress).isSortedAccordingTo((a, b) -> Long.compare(a[0], b[0]));
    assertThat(files()).containsExactly(".file.bin.lock", "file.bin");
    assertThat(fetch(sha256(CONTENT))).isEqualTo(target);
    assertThat(requests).hasSize(1);
  }

  @Test
  void goes_on_where_a_broken_connection_stopped() throws Exception {
    serve(
        (exchange, n) -> {
          tag(exchange, "\"v1\"");
          if (n == 0) {
            breakOff(exchange, 200, CONTENT.length, Arrays.copyOf(CONTENT, 100_000));
          }
          sendRest(exchange, CONTENT);
        });
    assertThat(fetch(null)).hasBinaryContent(CONTENT);
    assertThat(requests).hasSize(2);
    assertThat(requests.get(1)).matches("bytes=[1-9]\\d*- \"v1\"");
    assertThat(files()).containsExactly(".file.bin.lock", "file.bin");
  }

  @Test
  void goes_on_in_another_run_after_giving_up() throws Exception {
    serve(
        (exchange, n) -> {
          tag(exchange, "\"v1\"");
          if (n == 0) {
            breakOff(exchange, 200, CONTENT.length, Arrays.copyOf(CONTENT, 100_000));
          }
          sendRest(exchange, CONTENT);
        });
    assertThatThrownBy(() -> fetch(null, 1))
        .isInstanceOf(IOException.class)
        .hasMessageContainingAll(uri().toString(), "the connection broke", "after 1 attempts");
    assertThat(target).doesNotExist();
    assertThat(files()).contains(".file.bin.part", ".file.bin.part.tag");
    assertThat(fetch(null, 1)).hasBinaryContent(CONTENT);
    assertThat(requests.get(1)).startsWith("bytes=");
  }

  @Test
  void starts_again_when_the_content_changed_in_between() throws Exception {
    serve(
        (exchange, n) -> {
          if (n == 0) {
            tag(exchange, "\"v1\"");
            breakOff(exchange, 200, CONTENT.length, Arrays.copyOf(CONTENT, 100_000));
          }
          tag(exchange, "\"v2\"");
          send(exchange, 200, OTHER); // what If-Range asks for
        });
    assertThat(fetch(null)).hasBinaryContent(OTHER);
  }

  @Test
  void starts_again_when_a_server_ignores_the_condition_and_sends_a_part_of_another_version()
      throws Exception {
    serve(
        (exchange, n) -> {
          if (n == 0) {
            tag(exchange, "\"v1\"");
            breakOff(exchange, 200, CONTENT.length, Arrays.copyOf(CONTENT, 100_000));
          }
          tag(exchange, "\"v2\"");
          sendRest(exchange, OTHER);
        });
    assertThat(fetch(null)).hasBinaryContent(OTHER);
    assertThat(requests).hasSize(3);
    assertThat(requests.get(2)).isEqualTo("null null");
  }

  @Test
  void starts_again_when_a_server_ignores_ranges() throws Exception {
    serve(
        (exchange, n) -> {
          tag(exchange, "\"v1\"");
          if (n < 2) {
            breakOff(exchange, 200, CONTENT.length, Arrays.copyOf(CONTENT, 100_000 + n));
          }
          send(exchange, 200, CONTENT);
        });
    assertThat(fetch(sha256(CONTENT))).hasBinaryContent(CONTENT);
  }

  @Test
  void starts_again_when_the_part_sent_begins_elsewhere() throws Exception {
    serve(
        (exchange, n) -> {
          tag(exchange, "\"v1\"");
          if (n == 0) {
            breakOff(exchange, 200, CONTENT.length, Arrays.copyOf(CONTENT, 100_000));
          } else if (n == 1) {
            exchange.getResponseHeaders().set("Content-Range", "bytes 5-9/300000");
            send(exchange, 206, Arrays.copyOfRange(CONTENT, 5, 10));
          } else {
            sendRest(exchange, CONTENT);
          }
        });
    assertThat(fetch(null)).hasBinaryContent(CONTENT);
    assertThat(requests.get(2)).isEqualTo("null null");
  }

  @Test
  void without_a_tag_only_a_checksum_lets_it_go_on() throws Exception {
    serve(
        (exchange, n) -> {
          if (n % 2 == 0) {
            breakOff(exchange, 200, CONTENT.length, Arrays.copyOf(CONTENT, 100_000));
          }
          sendRest(exchange, CONTENT);
        });
    assertThat(fetch(null)).hasBinaryContent(CONTENT);
    assertThat(requests.get(1)).isEqualTo("null null");
    Files.delete(target);
    assertThat(fetch(sha256(CONTENT))).hasBinaryContent(CONTENT);
    assertThat(requests.get(3)).startsWith("bytes=").endsWith(" null");
  }

  @Test
  void a_weak_tag_does_not_vouch_for_bytes() throws Exception {
    serve(
        (exchange, n) -> {
          tag(exchange, "W/\"v1\"");
          if (n == 0) {
            breakOff(exchange, 200, CONTENT.length, Arrays.copyOf(CONTENT, 100_000));
          }
          sendRest(exchange, CONTENT);
        });
    assertThat(fetch(null)).hasBinaryContent(CONTENT);
    assertThat(requests.get(1)).isEqualTo("null null");
  }

  @Test
  void starts_again_when_joined_parts_fail_the_checksum() throws Exception {
    serve(
        (exchange, n) -> {
          if (n == 0) {
            breakOff(exchange, 200, OTHER.length, Arrays.copyOf(OTHER, 100_000));
          }
          sendRest(exchange, CONTENT);
        });
    assertThat(fetch(sha256(CONTENT))).hasBinaryContent(CONTENT);
    assertThat(requests).hasSize(3);
  }

  @Test
  void waits_and_tries_again_when_the_server_is_busy() throws Exception {
    serve(
        (exchange, n) -> {
          switch (n) {
            case 0 -> {
              exchange.getResponseHeaders().set("Retry-After", "0");
              send(exchange, 429, new byte[0]);
            }
            case 1 -> send(exchange, 503, "busy".getBytes(java.nio.charset.StandardCharsets.UTF_8));
            case 2 -> {
              exchange.getResponseHeaders().set("Retry-After", "3600");
              send(exchange, 503, new byte[0]);
            }
            default -> send(exchange, 200, CONTENT);
          }
        });
    assertThat(fetch(null)).hasBinaryContent(CONTENT);
    assertThat(pauses).containsExactly(0L, 200L, 350L);
  }

  @Test
  void gives_up_after_a_bounded_number_of_attempts() throws Exception {
    serve((exchange, n) -> send(exchange, 503, new byte[0]));
    assertThatThrownBy(() -> fetch(null))
        .isInstanceOf(IOException.class)
        .hasMessageContainingAll(
            uri().toString(),
            "the server answered 503 (after 4 attempts)",
            "proxyHost",
            "file.bin");
    assertThat(requests).hasSize(4);
    assertThat(pauses).containsExactly(100L, 200L, 350L);
    assertThat(files()).containsExactly(".file.bin.lock");
  }

  @Test
  void does_not_repeat_a_final_answer() {
    serve((exchange, n) -> send(exchange, 404, new byte[0]));
    assertThatThrownBy(() -> fetch(null)).hasMessageContaining("the server answered 404");
    assertThat(requests).hasSize(1);
  }

  @Test
  void follows_redirects() throws Exception {
    serve(
        (exchange, n) -> {
          if (exchange.getRequestURI().getPath().equals("/file")) {
            exchange.getResponseHeaders().set("Location", "/elsewhere");
            send(exchange, 302, new byte[0]);
          } else {
            send(exchange, 200, CONTENT);
          }
        });
    assertThat(fetch(sha256(CONTENT))).hasBinaryContent(CONTENT);
  }

  @Test
  void an_endless_redirect_ends() {
    serve(
        (exchange, n) -> {
          exchange.getResponseHeaders().set("Location", "/file");
          send(exchange, 302, new byte[0]);
        });
    assertThatThrownBy(() -> fetch(null, 1)).isInstanceOf(IOException.class);
  }

  @Test
  void never_accepts_less_than_was_announced() throws Exception {
    serve((exchange, n) -> breakOff(exchange, 200, CONTENT.length + 1000, CONTENT));
    assertThatThrownBy(() -> fetch(sha256(CONTENT)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("after 4 attempts");
    assertThat(target).doesNotExist();
  }

  @Test
  void keeps_nothing_of_a_wrong_content() throws Exception {
    serve((exchange, n) -> send(exchange, 200, OTHER));
    assertThatThrownBy(() -> fetch(sha256(CONTENT)))
        .isInstanceOf(IOException.class)
        .hasMessageContainingAll(
            uri().toString(), "SHA-256 " + sha256(CONTENT), "SHA-256 " + sha256(OTHER));
    assertThat(files()).containsExactly(".file.bin.lock");
    assertThat(requests).hasSize(1);
  }

  @Test
  void takes_content_of_unknown_length() throws Exception {
    serve(
        (exchange, n) -> {
          exchange.sendResponseHeaders(200, 0); // chunked
          exchange.getResponseBody().write(CONTENT);
        });
    assertThat(fetch(sha256(CONTENT))).hasBinaryContent(CONTENT);
    assertThat(progress.get(progress.size() - 1)).containsExactly(300_000, -1);
  }

  @Test
  void gives_up_on_a_server_that_falls_silent() throws Exception {
    CountDownLatch end = new CountDownLatch(1);
    serve(
        (exchange, n) -> {
          exchange.sendResponseHeaders(200, CONTENT.length);
          exchange.getResponseBody().write(CONTENT, 0, 1000);
          exchange.getResponseBody().flush();
          await(end);
        });
    try {
      assertThatThrownBy(() -> fetch(null, 1, Duration.ofMillis(400)))
          .hasMessageContaining("the server fell silent");
    } finally {
      end.countDown();
    }
    assertThat(target).doesNotExist();
  }

  private static void await(CountDownLatch latch) throws IOException {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new InterruptedIOException();
    }
  }

  @Test
  void says_when_no_one_answers() {
    int port = server.getAddress().getPort();
    server.stop(0);
    assertThatThrownBy(() -> fetch(null, 2))
        .isInstanceOf(IOException.class)
        .hasMessageContainingAll("http://127.0.0.1:" + port, "no answer", "after 2 attempts");
  }

  @Test
  void an_interrupt_ends_it_and_keeps_what_has_come() throws Exception {
    CountDownLatch end = new CountDownLatch(1);
    CountDownLatch some = new CountDownLatch(1);
    serve(
        (exchange, n) -> {
          tag(exchange, "\"v1\"");
          if (n == 0) {
            exchange.sendResponseHeaders(200, CONTENT.length);
            exchange.getResponseBody().write(CONTENT, 0, 100_000);
            exchange.getResponseBody().flush();
            await(end);
          }
          sendRest(exchange, CONTENT);
        });
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    Thread reader =
        new Thread(
            () -> {
              try {
                Downloads.fetch(
                    download(null),
                    (bytes, total) -> {
                      if (bytes > 0) {
                        some.countDown();
                      }
                    },
                    new Patience(
                        4, Duration.ZERO, Duration.ZERO, Duration.ofSeconds(60), pauses::add));
              } catch (Throwable e) {
                thrown.set(e);
              }
            });
    reader.start();
    some.await();
    reader.interrupt();
    reader.join();
    end.countDown();
    assertThat(thrown.get())
        .isInstanceOf(IOException.class)
        .matches(e -> e instanceof InterruptedIOException || e.toString().contains("Interrupt"));
    assertThat(target).doesNotExist();
    assertThat(fetch(null)).hasBinaryContent(CONTENT);
    assertThat(requests.get(1)).startsWith("bytes=");
  }

  @Test
  void two_threads_that_want_one_file_fetch_it_once() throws Exception {
    serve((exchange, n) -> send(exchange, 200, CONTENT));
    List<Thread> both = new ArrayList<>();
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    for (int i = 0; i < 4; i++) {
      Thread thread =
          new Thread(
              () -> {
                try {
                  fetch(sha256(CONTENT));
                } catch (Throwable e) {
                  thrown.set(e);
                }
              });
      both.add(thread);
      thread.start();
    }
    for (Thread thread : both) {
      thread.join();
    }
    assertThat(thrown.get()).isNull();
    assertThat(requests).hasSize(1);
    assertThat(target).hasBinaryContent(CONTENT);
  }

  /** Takes the lock and keeps it; a test kills it. */
  public static final class LockKeeper {
    public static void main(String[] args) throws Exception {
      try (FolderLock lock = FolderLock.take(FolderLock.of(Path.of(args[0])))) {
        System.out.println("locked");
        System.out.flush();
        Thread.sleep(600_000);
      }
    }
  }

  @Test
  void a_process_keeps_others_out_until_it_dies() throws Exception {
    serve((exchange, n) -> send(exchange, 200, CONTENT));
    Files.createDirectories(target.getParent());
    Process process = Fixtures.start(LockKeeper.class, target.toString());
    try (var out = process.inputReader();
        var file =
            FileChannel.open(
                target.resolveSibling(".file.bin.lock"),
                StandardOpenOption.CREATE,
                StandardOpenOption.WRITE)) {
      assertThat(out.readLine()).isEqualTo("locked");
      assertThat(file.tryLock()).isNull();
      process.destroyForcibly().waitFor();
    } finally {
      process.destroyForcibly().waitFor();
    }
    assertThat(fetch(sha256(CONTENT))).hasBinaryContent(CONTENT);
  }

  @Test
  void offline_it_fetches_nothing_and_says_so() throws Exception {
    serve((exchange, n) -> send(exchange, 200, CONTENT));
    System.setProperty("PEFT4J_OFFLINE", "1");
    try {
      assertThatThrownBy(() -> fetch(null))
          .isInstanceOf(IOException.class)
          .hasMessageContainingAll(
              target.toString(), "PEFT4J_OFFLINE forbids", "put the file there from " + uri());
      Files.createDirectories(target.getParent());
      Files.write(target, CONTENT);
      assertThat(fetch(null)).isEqualTo(target);
    } finally {
      System.clearProperty("PEFT4J_OFFLINE");
    }
    assertThat(requests).isEmpty();
    for (String no : List.of("0", "false", "No")) {
      System.setProperty("PEFT4J_OFFLINE", no);
      assertThat(Downloads.offline()).isFalse();
    }
    System.clearProperty("PEFT4J_OFFLINE");
  }

  @Test
  void refuses_other_addresses_and_places_outside_of_the_cache() {
    assertThatThrownBy(
            () ->
                Downloads.fetch(
                    URI.create("file:///etc/passwd"), "x", null, Downloads.Progress.NONE))
        .hasMessageContaining("http or https");
    assertThatThrownBy(() -> Downloads.fetch(uri(), "../../outside", null, Downloads.Progress.NONE))
        .hasMessageContaining("outside of the cache folder");
  }

  @Test
  void hashes_files() throws Exception {
    Path file = Files.writeString(folder.resolve("abc"), "abc");
    assertThat(Checksum.of(Checksum.Kind.SHA_256, file).hex())
        .isEqualTo("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); // FIPS 180
    assertThat(Checksum.of(Checksum.Kind.GIT_BLOB, file).hex())
        .isEqualTo("f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f"); // printf abc | git hash-object
  }
}
