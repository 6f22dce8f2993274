package org.peft4j.hub;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.peft4j.format.AtomicFiles;
import org.peft4j.tensor.CacheHome;
import org.peft4j.tensor.Torch;

/** What lies in the caches on this disk: the Hugging Face hub's, and our own. */
public final class CacheInventory {
  private static final String ONNX_RUNTIME = "onnxruntime-java";
  private static final Duration SURELY_OVER = Duration.ofDays(1);

  private CacheInventory() {}

  /** Everything, group by group. */
  public static List<CacheEntry> take() {
    try {
      List<CacheEntry> out = new ArrayList<>();
      List<CachedRevisions> repositories = CachedRevisions.all(hub());
      for (CachedRevisions repository : repositories) {
        out.addAll(repository.entries());
      }
      addMaven(out);
      addNatives(out);
      for (CachedRevisions repository : repositories) {
        out.addAll(repository.incomplete());
      }
      addTemporary(out);
      return out;
    } catch (IOException e) {
      throw new UncheckedIOException("the caches cannot be read: " + e.getMessage(), e);
    }
  }

  /** The cache that is shared with Hugging Face's library. */
  public static Path hub() {
    return HubSettings.cacheFolder();
  }

  /** Where a group lies. */
  public static Path folder(CacheEntry.Group group) {
    return switch (group) {
      case HUB, INCOMPLETE -> hub();
      case MAVEN -> CacheHome.path().resolve("maven");
      case NATIVES -> Torch.natives();
      case TEMPORARY -> temporary();
    };
  }

  /** Deletes something. */
  public static void delete(CacheEntry entry) {
    try {
      Path path = entry.path();
      switch (entry.group()) {
        case HUB -> {
          Path repository = Disk.parent(Disk.parent(path));
          new CachedRevisions(hub(), repository).delete(path.getFileName().toString());
        }
        case INCOMPLETE -> {
          Path repository = Disk.parent(Disk.parent(path));
          new CachedRevisions(hub(), repository).deleteIncomplete(path);
        }
        case MAVEN, NATIVES -> {
          AtomicFiles.deleteTree(path);
          deleteEmpty(Disk.parent(path), folder(entry.group()));
        }
        case TEMPORARY -> AtomicFiles.deleteTree(path);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(entry.path() + ": cannot be deleted: " + e.getMessage(), e);
    }
  }

  /** {@code maven/group/artifact/version-checksum}, of groups of any depth. */
  private static void addMaven(List<CacheEntry> out) throws IOException {
    Path root = folder(CacheEntry.Group.MAVEN);
    if (!Files.isDirectory(root)) {
      return;
    }
    try (var all = Files.walk(root)) {
      for (Path version :
          all.filter(p -> p.getFileName().toString().matches(".+-[0-9a-f]{8}"))
              .filter(Files::isDirectory)
              .sorted()
              .toList()) {
        String name = Disk.parent(version).getFileName() + ":" + version.getFileName();
        add(out, CacheEntry.Group.MAVEN, name.substring(0, name.length() - 9), version);
      }
    }
  }

  /** {@code natives/library/version}. */
  private static void addNatives(List<CacheEntry> out) throws IOException {
    Path root = folder(CacheEntry.Group.NATIVES);
    for (Path library : Disk.children(root)) {
      for (Path version : Disk.children(library)) {
        add(out, CacheEntry.Group.NATIVES, root.relativize(version).toString(), version);
      }
    }
  }

  /** ONNX Runtime unpacks its libraries anew in each process, and deletes them at its end. */
  private static void addTemporary(List<CacheEntry> out) throws IOException {
    Instant recent = Instant.now().minus(SURELY_OVER);
    for (Path folder : Disk.children(temporary())) {
      boolean ours = folder.getFileName().toString().startsWith(ONNX_RUNTIME);
      if (ours && Files.getLastModifiedTime(folder).toInstant().isBefore(recent)) {
        add(out, CacheEntry.Group.TEMPORARY, folder.getFileName().toString(), folder);
      }
    }
  }

  private static void add(List<CacheEntry> out, CacheEntry.Group group, String name, Path path)
      throws IOException {
    Disk disk = Disk.of(path);
    out.add(new CacheEntry(group, name.replace('\\', '/'), "", path, disk.bytes(), disk.used()));
  }

  private static void deleteEmpty(Path folder, Path root) throws IOException {
    Path p = folder;
    while (p.startsWith(root) && Disk.children(p).isEmpty()) {
      Files.deleteIfExists(p);
      p = Disk.parent(p);
    }
  }

  private static Path temporary() {
    return Path.of(System.getProperty("java.io.tmpdir", "."));
  }
}
