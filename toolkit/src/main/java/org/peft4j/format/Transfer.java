package org.peft4j.format;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * One download. Bytes gather in a hidden file beside the target; a second hidden file keeps the
 * server's tag for that content, so that going on (RFC 9110, Range and If-Range) never joins parts
 * of two versions.
 */
final class Transfer {
  private static final Set<Integer> TRY_AGAIN = Set.of(408, 425, 429, 500, 502, 503, 504);
  private static final Pattern RANGE = Pattern.compile("bytes (\\d{1,18})-\\d+/(\\d{1,18}|\\*)");
  private static final long POLL_MILLIS = 100;

  /**
   * How long to try.
   *
   * @param attempts requests at most
   * @param pause before the second attempt; doubled for each further one
   * @param longestPause limit of that, and of what a server may ask for (Retry-After)
   * @param silence a server that sends nothing for so long is given up
   */
  record Patience(
      int attempts, Duration pause, Duration longestPause, Duration silence, Sleep sleep) {}

  @FunctionalInterface
  interface Sleep {
    void millis(long n) throws InterruptedException;
  }

  /** A failure after which another attempt makes sense. */
  private static final class Broken extends IOException {
    private static final long serialVersionUID = 1;
    final long pauseMillis; // -1 where the server does not say

    Broken(String what, long pauseMillis, @Nullable Throwable cause) {
      super(what, cause);
      this.pauseMillis = pauseMillis;
    }
  }

  private final HttpClient client;
  private final URI from;
  private final Path target;
  private final Path part;
  private final Path tagFile;
  private final @Nullable String sha256;
  private final Downloads.Progress progress;
  private final Patience patience;

  Transfer(
      HttpClient client,
      URI from,
      Path target,
      @Nullable String sha256,
      Downloads.Progress progress,
      Patience patience) {
    this.client = client;
    this.from = from;
    this.target = target;
    this.sha256 = sha256;
    this.progress = progress;
    this.patience = patience;
    part = target.resolveSibling("." + target.getFileName() + ".part");
    tagFile = target.resolveSibling("." + target.getFileName() + ".part.tag");
  }

  void run() throws IOException {
    long pause = patience.pause().toMillis();
    for (int attempt = 1; ; attempt++) {
      try {
        attempt();
        return;
      } catch (Broken e) {
        if (attempt >= patience.attempts()) {
          throw failed(e.getMessage() + " (after " + attempt + " attempts)", e);
        }
        long asked = e.pauseMillis < 0 ? pause : e.pauseMillis;
        sleep(Math.min(asked, patience.longestPause().toMillis()));
        pause *= 2;
      }
    }
  }

  private void attempt() throws IOException {
    long have = Files.isRegularFile(part) ? Files.size(part) : 0;
    String tag = readTag();
    if (have > 0 && tag == null && sha256 == null) {
      have = 0; // nothing could tell whether the rest fits
    }
    HttpRequest.Builder request =
        HttpRequest.newBuilder(from)
            .timeout(patience.silence())
            .header("User-Agent", "peft4j")
            .header("Accept-Encoding", "identity");
    if (have > 0) {
      request.header("Range", "bytes=" + have + "-");
      if (tag != null) {
        request.header("If-Range", tag);
      }
    }
    try (Answer answer = new Answer(have, tag)) {
      HttpResponse<Long> response =
          answer.await(client.sendAsync(request.build(), answer::subscriber));
      check(response, answer);
      verify(answer.begin > 0);
    }
    Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
    Files.deleteIfExists(tagFile);
  }

  /** One answer of the server, from its headers to the end of its body. */
  private final class Answer implements AutoCloseable {
    private final long have;
    private final @Nullable String tag;
    private volatile @Nullable PartWriter writer;
    private volatile long begin;
    private volatile long total = -1;

    Answer(long have, @Nullable String tag) {
      this.have = have;
      this.tag = tag;
    }

    /** Where the body goes: to the file if it is (the rest of) the content, else nowhere. */
    HttpResponse.BodySubscriber<Long> subscriber(HttpResponse.ResponseInfo info) {
      HttpHeaders headers = info.headers();
      boolean goesOn = info.statusCode() == 206 && fits(headers);
      if (info.statusCode() != 200 && !goesOn) {
        return HttpResponse.BodySubscribers.replacing(0L);
      }
      begin = goesOn ? have : 0;
      long length = headers.firstValueAsLong("Content-Length").orElse(-1);
      total = length < 0 ? -1 : begin + length;
      if (!goesOn) {
        startOver(headers);
      }
      PartWriter body = new PartWriter(part, begin);
      writer = body;
      return body;
    }

    private boolean fits(HttpHeaders headers) {
      Matcher range = RANGE.matcher(headers.firstValue("Content-Range").orElse(""));
      String newTag = headers.firstValue("ETag").orElse(tag);
      boolean same = tag == null || !tag.startsWith("\"") || tag.equals(newTag);
      return same && range.matches() && Long.parseLong(range.group(1)) == have;
    }

    /** Waits for the end of the body, or for silence; tells of its progress meanwhile. */
    HttpResponse<Long> await(CompletableFuture<HttpResponse<Long>> future) throws IOException {
      long told = -1;
      long lastSign = System.nanoTime();
      try {
        while (true) {
          try {
            return future.get(POLL_MILLIS, TimeUnit.MILLISECONDS);
          } catch (TimeoutException e) {
            long at = position();
            if (at != told) {
              told = at;
              lastSign = System.nanoTime();
              progress.at(at, total);
            } else if (System.nanoTime() - lastSign > patience.silence().toNanos()) {
              throw new Broken("the server fell silent at byte " + at, -1, e);
            }
          }
        }
      } catch (InterruptedException e) {
        throw interrupted();
      } catch (ExecutionException e) {
        Throwable cause = e.getCause() != null ? e.getCause() : e;
        String reason = cause.getMessage() != null ? cause.getMessage() : cause.toString();
        String what = writer == null ? "no answer" : "the connection broke at byte " + position();
        throw new Broken(what + ": " + reason, -1, cause);
      } finally {
        future.cancel(true);
      }
    }

    private long position() {
      PartWriter body = writer;
      return body == null ? 0 : body.position();
    }

    @Override
    public void close() {
      PartWriter body = writer;
      if (body != null) {
        body.close();
      }
    }
  }

  private void check(HttpResponse<Long> response, Answer answer) throws IOException {
    int status = response.statusCode();
    if (answer.writer == null) {
      if (status == 206 || status == 416) {
        discard();
        throw new Broken("the server has nothing that goes on from byte " + answer.have, 0, null);
      }
      if (TRY_AGAIN.contains(status)) {
        throw new Broken("the server answered " + status, retryAfter(response.headers()), null);
      }
      throw failed("the server answered " + status, null);
    }
    if (answer.total >= 0 && response.body() != answer.total) {
      throw new Broken("expected " + answer.total + " bytes, found " + response.body(), -1, null);
    }
    progress.at(response.body(), answer.total);
  }

  private void verify(boolean joined) throws IOException {
    String found = sha256 == null ? null : Sha256.of(part);
    if (found == null || found.equalsIgnoreCase(sha256)) {
      return;
    }
    discard();
    if (joined) {
      throw new Broken("the parts that came do not fit together", 0, null);
    }
    throw new IOException(
        Malformed.text(
            from,
            "not the content it should be; nothing was kept",
            "SHA-256 " + sha256,
            "SHA-256 " + found,
            "try again; if it stays so, the server (or a proxy) gives out another file"));
  }

  private void discard() throws IOException {
    Files.deleteIfExists(part);
    Files.deleteIfExists(tagFile);
  }

  /** The validator of the part's content, if it is one that If-Range may name. */
  private @Nullable String readTag() throws IOException {
    if (!Files.isRegularFile(tagFile)) {
      return null;
    }
    List<String> lines = Files.readAllLines(tagFile);
    return lines.size() == 2 && lines.get(0).equals(from.toString()) ? lines.get(1) : null;
  }

  /** Drops the old part before the new tag is written: they must never stand side by side. */
  private void startOver(HttpHeaders headers) {
    String tag =
        headers
            .firstValue("ETag")
            .filter(t -> t.startsWith("\"")) // a weak one does not vouch for bytes
            .or(() -> headers.firstValue("Last-Modified"))
            .orElse(null);
    try {
      discard();
      if (tag != null) {
        AtomicFiles.writeString(tagFile, from + "\n" + tag + "\n");
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static long retryAfter(HttpHeaders headers) {
    String seconds = headers.firstValue("Retry-After").orElse("");
    return seconds.matches("\\d{1,9}") ? Long.parseLong(seconds) * 1000 : -1;
  }

  private void sleep(long millis) throws IOException {
    try {
      patience.sleep().millis(millis);
    } catch (InterruptedException e) {
      throw interrupted();
    }
  }

  private IOException interrupted() {
    Thread.currentThread().interrupt();
    return new InterruptedIOException(from + ": interrupted; what has come so far is kept");
  }

  private IOException failed(String what, @Nullable Throwable cause) {
    String fix =
        "check the address and the network (proxies: -Dhttps.proxyHost, -Dhttps.proxyPort),"
            + " or put the file at "
            + target;
    return new IOException(Malformed.text(from, "cannot be fetched", "the file", what, fix), cause);
  }
}
