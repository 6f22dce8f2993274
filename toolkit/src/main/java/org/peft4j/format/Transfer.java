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
import java.util.List;
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
  private static final Pattern RANGE = Pattern.compile("bytes (\\d{1,18})-\\d+/(\\d{1,18}|\\*)");
  private static final long POLL_MILLIS = 100;

  private final HttpClient client;
  private final Download file;
  private final URI from;
  private final Path part;
  private final Path tagFile;
  private final @Nullable Checksum checksum;
  private final Downloads.Progress progress;
  private final Patience patience;

  Transfer(HttpClient client, Download file, Downloads.Progress progress, Patience patience) {
    this.client = client;
    this.file = file;
    this.progress = progress;
    this.patience = patience;
    from = file.from();
    part = file.part();
    checksum = file.checksum();
    tagFile = part.resolveSibling(part.getFileName() + ".tag");
  }

  void run() throws IOException {
    patience.attempt(
        () -> {
          attempt();
          return file;
        },
        (n, e) -> failed(e.getMessage() + " (after " + n + " attempts)", e));
    Files.move(part, file.target(), StandardCopyOption.ATOMIC_MOVE);
    Files.deleteIfExists(tagFile);
  }

  private void attempt() throws IOException {
    long have = Files.isRegularFile(part) ? Files.size(part) : 0;
    String tag = readTag();
    if (have > 0 && tag == null && checksum == null) {
      have = 0; // nothing could tell whether the rest fits
    }
    if (have > 0 && have == file.length() && checksum != null) { // it came, but was not checked
      verify(true);
      return;
    }
    if (file.length() >= 0 && have >= file.length()) {
      discard();
      have = 0;
    }
    URI at = from;
    for (int hops = 0; hops <= Redirects.MOST; hops++) {
      URI next = attempt(at, have, tag);
      if (next == null) {
        return;
      }
      at = next;
    }
    throw failed("more than " + Redirects.MOST + " redirects in a row", null);
  }

  private HttpRequest request(URI at, long have, @Nullable String tag) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(at)
            .timeout(patience.silence())
            .header("User-Agent", "peft4j")
            .header("Accept-Encoding", "identity");
    if (Redirects.sameOrigin(from, at)) {
      file.headers().forEach(request::header);
    }
    if (have > 0) {
      request.header("Range", "bytes=" + have + "-");
      if (tag != null) {
        request.header("If-Range", tag);
      }
    }
    return request.build();
  }

  /** Fetches the file from {@code at}, or gives the address that it redirects to. */
  private @Nullable URI attempt(URI at, long have, @Nullable String tag) throws IOException {
    try (Answer answer = new Answer(have, tag)) {
      HttpResponse<Long> response =
          answer.await(client.sendAsync(request(at, have, tag), answer::subscriber));
      URI next = Redirects.target(at, response);
      if (next == null) {
        check(response, answer);
        verify(answer.begin > 0);
      }
      return next;
    }
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
              throw new PassingFailure("the server fell silent at byte " + at, -1, e);
            }
          }
        }
      } catch (InterruptedException e) {
        throw interrupted();
      } catch (ExecutionException e) {
        Throwable cause = e.getCause() != null ? e.getCause() : e;
        String reason = cause.getMessage() != null ? cause.getMessage() : cause.toString();
        String what = writer == null ? "no answer" : "the connection broke at byte " + position();
        throw new PassingFailure(what + ": " + reason, -1, cause);
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
        throw new PassingFailure(
            "the server has nothing that goes on from byte " + answer.have, 0, null);
      }
      if (Patience.mayPass(status)) {
        throw new PassingFailure(
            "the server answered " + status, Patience.asked(response.headers()), null);
      }
      throw failed("the server answered " + status, null);
    }
    if (answer.total >= 0 && response.body() != answer.total) {
      throw new PassingFailure(
          "expected " + answer.total + " bytes, found " + response.body(), -1, null);
    }
    progress.at(response.body(), answer.total);
    if (file.length() >= 0 && response.body() != file.length()) {
      throw wrong(answer.begin > 0, file.length() + " bytes", response.body() + " bytes");
    }
  }

  private void verify(boolean joined) throws IOException {
    Checksum found = checksum == null ? null : checksum.of(part);
    if (found == null || found.equals(checksum)) {
      return;
    }
    throw wrong(joined, String.valueOf(checksum), found);
  }

  /** What came is thrown away; that of two answers may fit together another time. */
  private IOException wrong(boolean joined, String expected, Object found) throws IOException {
    discard();
    if (joined) {
      return new PassingFailure("the parts that came do not fit together", 0, null);
    }
    return new IOException(
        Malformed.text(
            from,
            "not the content it should be; nothing was kept",
            expected,
            found,
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

  private IOException interrupted() {
    Thread.currentThread().interrupt();
    return new InterruptedIOException(from + ": interrupted; what has come so far is kept");
  }

  private IOException failed(String what, @Nullable Throwable cause) {
    return new IOException(
        Malformed.text(from, "cannot be fetched", "the file", what, file.fix()), cause);
  }
}
