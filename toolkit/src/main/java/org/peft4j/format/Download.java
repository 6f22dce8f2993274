package org.peft4j.format;

import java.net.URI;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A file to fetch.
 *
 * @param target where it belongs; it appears there when it is whole and right
 * @param part where its bytes gather, in the same file system; kept when a download breaks off
 * @param lock an empty file that whoever fetches it holds locked; it stays
 * @param checksum what its content hashes to; null when that is not known
 * @param length in bytes; -1 when that is not known
 * @param headers sent along, but only to the scheme, host and port of {@code from}: where that
 *     redirects elsewhere, they stay behind
 * @param fix what to do when it cannot be fetched
 */
public record Download(
    URI from,
    Path target,
    Path part,
    Path lock,
    @Nullable Checksum checksum,
    long length,
    Map<String, String> headers,
    String fix) {
  public Download {
    if (!"http".equals(from.getScheme()) && !"https".equals(from.getScheme())) {
      throw new IllegalArgumentException(from + ": expected an address with http or https");
    }
    headers = Map.copyOf(headers);
  }

  /** With hidden files beside the target. */
  static Download beside(Path target, URI from, @Nullable Checksum checksum) {
    return new Download(
        from,
        target,
        target.resolveSibling("." + target.getFileName() + ".part"),
        FolderLock.of(target),
        checksum,
        -1,
        Map.of(),
        "check the address and the network (proxies: -Dhttps.proxyHost, -Dhttps.proxyPort),"
            + " or put the file at "
            + target);
  }
}
