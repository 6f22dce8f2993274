package org.peft4j.format;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.http.HttpHeaders;
import java.time.Duration;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How long to try a server.
 *
 * @param attempts requests at most
 * @param pause before the second attempt; doubled for each further one
 * @param longestPause limit of that, and of what a server may ask for (Retry-After)
 * @param silence a server that sends nothing for so long is given up
 */
public record Patience(
    int attempts, Duration pause, Duration longestPause, Duration silence, Sleep sleep) {
  /** About two minutes of pauses in all. */
  public static final Patience USUAL =
      new Patience(
          8, Duration.ofSeconds(1), Duration.ofMinutes(1), Duration.ofMinutes(1), Thread::sleep);

  private static final Set<Integer> MAY_PASS = Set.of(408, 425, 429, 500, 502, 503, 504);
  private static final Pattern USED_UP = // draft-ietf-httpapi-ratelimit-headers
      Pattern.compile("\"\\w+\"\\s*;\\s*r\\s*=\\s*0\\s*;\\s*t\\s*=\\s*(\\d{1,9})");

  /** Waits. */
  @FunctionalInterface
  public interface Sleep {
    void millis(long n) throws InterruptedException;
  }

  /** What is tried. */
  @FunctionalInterface
  public interface Attempt<T> {
    T run() throws IOException;
  }

  /** Words the end of patience. */
  @FunctionalInterface
  public interface Ending {
    IOException after(int attempts, PassingFailure last);
  }

  /** The same with fewer or more attempts. */
  public Patience attempts(int n) {
    return new Patience(n, pause, longestPause, silence, sleep);
  }

  /** Tries until it works, fails for good, or has been tried often enough. */
  public <T> T attempt(Attempt<T> what, Ending ending) throws IOException {
    long next = pause.toMillis();
    for (int n = 1; ; n++) {
      try {
        return what.run();
      } catch (PassingFailure e) {
        if (n >= attempts) {
          throw ending.after(n, e);
        }
        long asked = e.pauseMillis() < 0 ? next : e.pauseMillis();
        pause(Math.min(asked, longestPause.toMillis()));
        next *= 2;
      }
    }
  }

  private void pause(long millis) throws IOException {
    try {
      sleep.millis(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted between two attempts");
    }
  }

  /** Whether a server that answers so may answer otherwise soon. */
  public static boolean mayPass(int status) {
    return MAY_PASS.contains(status);
  }

  /** Milliseconds for which an answer asks to wait; -1 where it does not. */
  public static long asked(HttpHeaders headers) {
    String seconds = headers.firstValue("Retry-After").orElse("").strip();
    if (seconds.matches("\\d{1,9}")) {
      return Long.parseLong(seconds) * 1000;
    }
    Matcher used = USED_UP.matcher(headers.firstValue("RateLimit").orElse(""));
    return used.find() ? Long.parseLong(used.group(1)) * 1000 : -1;
  }
}
