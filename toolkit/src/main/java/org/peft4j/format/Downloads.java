package org.peft4j.format;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;
import org.peft4j.tensor.CacheHome;

/**
 * Files from the network, kept under {@link CacheHome}. A download that breaks off goes on where it
 * stopped, by this process or the next; a file appears only when it is whole. Two processes that
 * want the same file take turns. Proxies are those of the JDK's standard properties ({@code
 * https.proxyHost} and so on). With {@code PEFT4J_OFFLINE} set (environment variable or system
 * property, to anything but {@code 0}, {@code false} or {@code no}) nothing is fetched.
 */
public final class Downloads {
  private static final HttpClient CLIENT =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .followRedirects(HttpClient.Redirect.NEVER) // Transfer follows them
          .connectTimeout(Duration.ofSeconds(30))
          .build();

  private Downloads() {}

  /** Told now and then how far a download is. */
  @FunctionalInterface
  public interface Progress extends AutoCloseable {
    /** No one is told. */
    Progress NONE = (bytes, total) -> {};

    /**
     * Found by the {@link ServiceLoader}: shows downloads to whoever sits in front of this process.
     */
    interface Provider {
      /**
       * For one download, or several that belong together; closed at its end.
       *
       * @param name what is fetched
       */
      Progress of(String name);
    }

    /** Shown where somebody sees it; else {@link #NONE}. */
    static Progress shown(String name) {
      return ServiceLoader.load(Provider.class)
          .findFirst()
          .map(provider -> provider.of(name))
          .orElse(NONE);
    }

    /**
     * Some bytes have arrived.
     *
     * @param total length of the whole file; -1 when the server does not say
     */
    void at(long bytes, long total);

    /** Nothing more comes. */
    @Override
    default void close() {}
  }

  /**
   * The file that {@code from} names, fetched unless the cache has it.
   *
   * @param to where it belongs, relative to the cache folder
   * @param sha256 what the content must hash to, in hexadecimal; null when that is not known, so
   *     that only the length is checked
   * @return its path in the cache
   * @throws IOException that says what failed and what to do; nothing wrong is left in the cache
   */
  public static Path fetch(URI from, String to, @Nullable String sha256, Progress progress)
      throws IOException {
    Path target = CacheHome.path().resolve(to).normalize();
    if (!target.startsWith(CacheHome.path())) {
      throw new IllegalArgumentException(target + ": lies outside of the cache folder");
    }
    Checksum checksum = sha256 == null ? null : Checksum.sha256(sha256);
    return fetch(Download.beside(target, from, checksum), progress, Patience.USUAL);
  }

  /**
   * Fetches a file unless it is there.
   *
   * @return its path
   * @throws IOException that says what failed and what to do
   */
  public static Path fetch(Download file, Progress progress, Patience patience) throws IOException {
    Path target = file.target();
    if (Files.isRegularFile(target)) {
      return target;
    }
    if (offline()) {
      throw new IOException(
          Malformed.text(
              target,
              "not in the cache, and PEFT4J_OFFLINE forbids to fetch it",
              "the file, or the network",
              "neither",
              "unset PEFT4J_OFFLINE once, or put the file there from " + file.from()));
    }
    Files.createDirectories(target.getParent());
    Files.createDirectories(file.lock().getParent());
    try (FolderLock lock = FolderLock.take(file.lock())) {
      if (!Files.isRegularFile(target)) { // another process may have been first
        new Transfer(CLIENT, file, progress, patience).run();
      }
    }
    return target;
  }

  /** Whether {@code PEFT4J_OFFLINE} forbids the network. */
  public static boolean offline() {
    String value = CacheHome.setting("PEFT4J_OFFLINE");
    return value != null && !value.matches("(?i)0|false|no");
  }
}
