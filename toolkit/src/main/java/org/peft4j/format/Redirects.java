package org.peft4j.format;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpResponse;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Where an answer sends its reader. The JDK's client follows redirects too, but takes a token along
 * to whatever host they lead to.
 */
public final class Redirects {
  /** As many in a row as are followed. */
  public static final int MOST = 10;

  private static final Set<Integer> STATUS = Set.of(301, 302, 303, 307, 308);

  private Redirects() {}

  /**
   * The address that an answer to a request of {@code from} names; null where it is no redirect.
   *
   * @throws IOException when it names none, or one without encryption where there was some
   */
  public static @Nullable URI target(URI from, HttpResponse<?> answer) throws IOException {
    if (!STATUS.contains(answer.statusCode())) {
      return null;
    }
    String location = answer.headers().firstValue("Location").orElse("");
    URI to;
    try {
      to = from.resolve(location);
    } catch (IllegalArgumentException e) {
      throw wrong(from, "an address", Malformed.quote(location));
    }
    boolean http = "http".equals(to.getScheme()) && !"https".equals(from.getScheme());
    if (location.isEmpty() || to.getHost() == null || !(http || "https".equals(to.getScheme()))) {
      throw wrong(from, from.getScheme() + "://...", Malformed.quote(location));
    }
    return to;
  }

  /** Whether two addresses have the same scheme, host and port. */
  public static boolean sameOrigin(URI a, URI b) {
    return Objects.equals(a.getScheme(), b.getScheme())
        && String.valueOf(a.getHost()).equalsIgnoreCase(String.valueOf(b.getHost()))
        && port(a) == port(b);
  }

  private static int port(URI uri) {
    return uri.getPort() >= 0 ? uri.getPort() : "https".equals(uri.getScheme()) ? 443 : 80;
  }

  private static IOException wrong(URI from, String expected, String found) {
    return new IOException(
        Malformed.text(from, "redirects to somewhere else", expected, found, null));
  }
}
