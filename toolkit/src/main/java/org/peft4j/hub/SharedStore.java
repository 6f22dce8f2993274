package org.peft4j.hub;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Contents that repositories share: where Hugging Face's library fetches by its faster protocol, a
 * repository's content is a link to {@code blobs/ab/abcd...} in the cache, beside which {@code
 * abcd....refs} lists the links.
 */
final class SharedStore {
  private final Path cache;

  SharedStore(Path cache) {
    this.cache = cache;
  }

  /** The shared content that a repository's content is a link to; null where it is none. */
  @Nullable Path target(Path blob) throws IOException {
    if (!Files.isSymbolicLink(blob)) {
      return null;
    }
    Path to = blob.resolveSibling(Files.readSymbolicLink(blob)).normalize();
    boolean shared =
        to.startsWith(cache.resolve("blobs"))
            && to.getFileName().toString().matches("[0-9a-f]{64}")
            && Files.isRegularFile(to, LinkOption.NOFOLLOW_LINKS);
    return shared ? to : null;
  }

  /**
   * Whether nobody but {@code links} refers to a shared content. Where that cannot be told,
   * somebody may.
   */
  boolean isOnlyFor(Path content, Set<Path> links) throws IOException {
    Path list = references(content);
    if (!Files.isRegularFile(list, LinkOption.NOFOLLOW_LINKS)) {
      return false;
    }
    for (String line : Files.readAllLines(list)) {
      if (Repository.isRelative(line)) {
        Path link = cache.resolve(line);
        if (!links.contains(link) && content.equals(target(link))) {
          return false;
        }
      }
    }
    return true;
  }

  /** Deletes a shared content to which no link is left. */
  void sweep(Path content) throws IOException {
    if (isOnlyFor(content, Set.of())) {
      Files.deleteIfExists(content);
      Files.deleteIfExists(references(content));
    }
  }

  private static Path references(Path content) {
    return content.resolveSibling(content.getFileName() + ".refs");
  }
}
