package org.peft4j.hub;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.AtomicFiles;

/**
 * One repository in the cache, laid out as Hugging Face's library does, which reads it too:
 *
 * <pre>
 * models--org--name/blobs/HASH                   contents, named by what they hash to
 * models--org--name/snapshots/COMMIT/config.json links to them, by their names at a commit
 * models--org--name/refs/main                    the commit that a branch was at
 * models--org--name/.no_exist/COMMIT/NAME        files that are known not to be there
 * .locks/models--org--name/HASH.lock             held by whoever fetches a content
 * </pre>
 */
final class CachedRepository {
  private static final String TAG =
      """
      Signature: 8a477f597d28d172789f06886806bc55
      # This folder is a cache: backups can leave it out (https://bford.info/cachedir/).
      """;

  private final Path cache;
  private final Path folder;
  private final boolean links;

  CachedRepository(HubSettings settings, Repository repository) {
    cache = settings.cache();
    folder = cache.resolve(repository.folderName());
    links = settings.links();
  }

  /** Where the files of a commit are. */
  Path snapshot(String commit) {
    return folder.resolve("snapshots").resolve(commit);
  }

  Path blob(String hash) {
    return folder.resolve("blobs").resolve(hash);
  }

  /**
   * Where a content gathers. Hugging Face's library gives every process a name of its own, of this
   * form; this one is ours alone, and a download goes on from it.
   */
  Path part(String hash) {
    return blob(hash + ".peft4j.incomplete");
  }

  Path lock(String hash) {
    return cache.resolve(".locks").resolve(folder.getFileName()).resolve(hash + ".lock");
  }

  /** The commit that a branch or tag was at when it was fetched last; null where it never was. */
  @Nullable String commit(String revision) throws IOException {
    Path ref = folder.resolve("refs").resolve(revision);
    return Files.isRegularFile(ref) ? Files.readString(ref).strip() : null;
  }

  void remember(String revision, String commit) throws IOException {
    if (!revision.equals(commit) && !commit.equals(commit(revision))) {
      AtomicFiles.writeString(folder.resolve("refs").resolve(revision), commit);
    }
  }

  /** Whether a file is known not to be there at a commit. */
  boolean lacks(String commit, String path) {
    return Files.exists(folder.resolve(".no_exist").resolve(commit).resolve(path));
  }

  void rememberLack(String commit, String path) throws IOException {
    Path mark = folder.resolve(".no_exist").resolve(commit).resolve(path);
    if (!Files.exists(mark)) {
      Files.createDirectories(mark.getParent());
      try {
        Files.createFile(mark);
      } catch (FileAlreadyExistsException e) {
        // another process was first
      }
    }
  }

  /** The names of the files that are here of a commit. */
  Set<String> files(String commit) throws IOException {
    Path snapshot = snapshot(commit);
    Set<String> out = new TreeSet<>();
    if (Files.isDirectory(snapshot)) {
      try (Stream<Path> all = Files.walk(snapshot)) {
        all.filter(Files::isRegularFile) // a link whose content is gone is none
            .forEach(f -> out.add(snapshot.relativize(f).toString().replace('\\', '/')));
      }
    }
    return out;
  }

  /** Marks the cache as one, for backups. */
  void tag() throws IOException {
    Path tag = cache.resolve("CACHEDIR.TAG");
    if (!Files.exists(tag)) {
      AtomicFiles.writeString(tag, TAG);
    }
  }

  /**
   * Gives a content its name at a commit: a relative link, or the file itself where there are no
   * links.
   *
   * @param isNew whether the content was fetched for this name, so that nobody else needs it
   */
  void name(String hash, String commit, String path, boolean isNew) throws IOException {
    Path file = snapshot(commit).resolve(path);
    if (Files.exists(file)) {
      return;
    }
    Files.createDirectories(file.getParent());
    Path content = blob(hash);
    if (links && link(file, Disk.parent(file).relativize(content))) {
      return;
    }
    Files.deleteIfExists(file); // a link that leads nowhere
    if (isNew) {
      Files.move(content, file, StandardCopyOption.ATOMIC_MOVE);
    } else {
      Path copy = file.resolveSibling("." + file.getFileName() + ".copy");
      Files.copy(content, copy, StandardCopyOption.REPLACE_EXISTING);
      Files.move(copy, file, StandardCopyOption.ATOMIC_MOVE);
    }
  }

  private static boolean link(Path file, Path content) throws IOException {
    if (Files.exists(file, LinkOption.NOFOLLOW_LINKS) && !Files.exists(file)) {
      Files.delete(file);
    }
    try {
      Files.createSymbolicLink(file, content);
      return true;
    } catch (FileAlreadyExistsException e) {
      return true; // another process was first
    } catch (IOException | UnsupportedOperationException e) {
      return false; // Windows without the right to, and some file systems
    }
  }
}
