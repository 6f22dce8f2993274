package org.peft4j.hub;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.peft4j.format.AtomicFiles;

/** The revisions of one repository in the cache, of whoever fetched them. */
final class CachedRevisions {
  private static final String INCOMPLETE = ".incomplete";

  private final Path cache;
  private final Path folder;
  private final SharedStore shared;

  CachedRevisions(Path cache, Path folder) {
    this.cache = cache;
    this.folder = folder;
    shared = new SharedStore(cache);
  }

  /** Those of all repositories. */
  static List<CachedRevisions> all(Path cache) throws IOException {
    List<CachedRevisions> out = new ArrayList<>();
    for (Path folder : Disk.children(cache)) {
      String name = folder.getFileName().toString();
      if (name.matches("(models|datasets|spaces|kernels)--.+") && Files.isDirectory(folder)) {
        out.add(new CachedRevisions(cache, folder));
      }
    }
    return out;
  }

  /** {@code org/name}; what is no model has its kind before it. */
  String id() {
    String[] kindAndName = folder.getFileName().toString().split("--", 2);
    String id = kindAndName[1].replace("--", "/");
    return kindAndName[0].equals("models") ? id : kindAndName[0] + "/" + id;
  }

  /** One entry for each; what several share is counted with none of them. */
  List<CacheEntry> entries() throws IOException {
    List<CacheEntry> out = new ArrayList<>();
    List<Path> snapshots = Disk.children(folder.resolve("snapshots"));
    for (Path snapshot : snapshots) {
      String commit = snapshot.getFileName().toString();
      Disk disk = Disk.of(snapshot);
      for (Path content : contents(snapshot)) {
        Path there = shared.target(content);
        disk = disk.plus(Disk.of(there == null ? content : there));
      }
      long freed = freed(commit);
      String note = String.join(", ", branches(commit));
      if (freed < disk.bytes()) {
        note += (note.isEmpty() ? "" : "; ") + Size.text(disk.bytes()) + " with what others share";
      }
      out.add(
          new CacheEntry(
              CacheEntry.Group.HUB,
              id() + "@" + commit.substring(0, Math.min(8, commit.length())),
              note,
              snapshot,
              freed,
              disk.used()));
    }
    return out;
  }

  /** Downloads that broke off. */
  List<CacheEntry> incomplete() throws IOException {
    List<CacheEntry> out = new ArrayList<>();
    for (Path file : Disk.children(folder.resolve("blobs"))) {
      String name = file.getFileName().toString();
      if (name.endsWith(INCOMPLETE)) {
        Disk disk = Disk.of(file);
        out.add(
            new CacheEntry(
                CacheEntry.Group.INCOMPLETE,
                id() + "/" + name.substring(0, Math.min(8, name.length())),
                "",
                file,
                disk.bytes(),
                disk.used()));
      }
    }
    return out;
  }

  /** Deletes a revision, and the contents that no other one has. */
  void delete(String commit) throws IOException {
    Set<Path> own = own(commit);
    for (String branch : branches(commit)) {
      Files.deleteIfExists(folder.resolve("refs").resolve(branch));
    }
    AtomicFiles.deleteTree(folder.resolve("snapshots").resolve(commit));
    AtomicFiles.deleteTree(folder.resolve(".no_exist").resolve(commit));
    Files.deleteIfExists(folder.resolve("trees").resolve(commit + ".json"));
    for (Path content : own) {
      deleteContent(content);
    }
    tidy();
  }

  /** Deletes a download that broke off. */
  void deleteIncomplete(Path file) throws IOException {
    Files.deleteIfExists(file);
    tidy();
  }

  /** Of a repository without revisions, only downloads that broke off are worth keeping. */
  private void tidy() throws IOException {
    if (!Disk.children(folder.resolve("snapshots")).isEmpty()) {
      return;
    }
    boolean incomplete = false;
    for (Path content : Disk.children(folder.resolve("blobs"))) {
      if (content.getFileName().toString().endsWith(INCOMPLETE)) {
        incomplete = true;
      } else {
        deleteContent(content);
      }
    }
    if (!incomplete) {
      AtomicFiles.deleteTree(folder);
      AtomicFiles.deleteTree(cache.resolve(".locks").resolve(folder.getFileName()));
    }
  }

  private void deleteContent(Path content) throws IOException {
    Path there = shared.target(content);
    Files.deleteIfExists(content);
    if (there != null) {
      shared.sweep(there);
    }
  }

  private long freed(String commit) throws IOException {
    Set<Path> own = own(commit);
    long sum = Disk.of(folder.resolve("snapshots").resolve(commit)).bytes();
    for (Path content : own) {
      Path there = shared.target(content);
      if (there == null) {
        sum += Disk.of(content).bytes();
      } else if (shared.isOnlyFor(there, own)) {
        sum += Disk.of(there).bytes();
      }
    }
    return sum;
  }

  /** Contents that this revision has and no other. */
  private Set<Path> own(String commit) throws IOException {
    Set<Path> own = new LinkedHashSet<>();
    Set<Path> others = new LinkedHashSet<>();
    for (Path snapshot : Disk.children(folder.resolve("snapshots"))) {
      boolean is = snapshot.getFileName().toString().equals(commit);
      (is ? own : others).addAll(contents(snapshot));
    }
    own.removeAll(others);
    return own;
  }

  /** What a snapshot's links lead to. */
  private Set<Path> contents(Path snapshot) throws IOException {
    Set<Path> out = new TreeSet<>();
    try (Stream<Path> all = Files.walk(snapshot)) {
      for (Path file : all.filter(Files::isSymbolicLink).toList()) {
        Path content = file.resolveSibling(Files.readSymbolicLink(file)).normalize();
        if (content.startsWith(folder.resolve("blobs"))) {
          out.add(content);
        }
      }
    }
    return out;
  }

  private List<String> branches(String commit) throws IOException {
    Path refs = folder.resolve("refs");
    List<String> out = new ArrayList<>();
    if (Files.isDirectory(refs)) {
      try (Stream<Path> all = Files.walk(refs)) {
        for (Path ref : all.filter(Files::isRegularFile).sorted().toList()) {
          if (Files.readString(ref).strip().equals(commit)) {
            out.add(refs.relativize(ref).toString().replace('\\', '/'));
          }
        }
      }
    }
    return out;
  }
}
