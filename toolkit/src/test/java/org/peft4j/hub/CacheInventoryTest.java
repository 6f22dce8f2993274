package org.peft4j.hub;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("fast")
class CacheInventoryTest {
  private static final String A = "a".repeat(40);
  private static final String B = "b".repeat(40);

  @TempDir Path cache;

  private Path folder() {
    return cache.resolve("models--org--name");
  }

  private void content(String hash, int bytes) throws IOException {
    Path file = folder().resolve("blobs").resolve(hash);
    Files.createDirectories(file.getParent());
    Files.write(file, new byte[bytes]);
  }

  private void name(String commit, String path, String hash) throws IOException {
    Path file = folder().resolve("snapshots").resolve(commit).resolve(path);
    Files.createDirectories(file.getParent());
    Path content = folder().resolve("blobs").resolve(hash);
    Files.createSymbolicLink(file, file.getParent().relativize(content));
  }

  private void branch(String name, String commit) throws IOException {
    Path ref = folder().resolve("refs").resolve(name);
    Files.createDirectories(ref.getParent());
    Files.writeString(ref, commit);
  }

  /** Two revisions that share one content of three. */
  private CachedRevisions two() throws IOException {
    content("1", 100);
    content("2", 20);
    content("3", 3);
    name(A, "config.json", "3");
    name(A, "model.safetensors", "1");
    name(B, "config.json", "2");
    name(B, "model.safetensors", "1");
    branch("main", B);
    branch("refs/pr/1", A);
    Files.createDirectories(folder().resolve(".no_exist").resolve(A));
    Files.createFile(folder().resolve(".no_exist").resolve(A).resolve("x"));
    Files.createDirectories(cache.resolve(".locks/models--org--name"));
    return new CachedRevisions(cache, folder());
  }

  private static List<String> lines(List<CacheEntry> entries) {
    return entries.stream().map(e -> e.name() + " " + e.bytes() + " " + e.note()).toList();
  }

  @Test
  void revisions_are_counted_by_what_they_give_back() throws Exception {
    assertThat(lines(two().entries()))
        .containsExactly(
            "org/name@aaaaaaaa 3 refs/pr/1; 103 B with what others share",
            "org/name@bbbbbbbb 20 main; 120 B with what others share");
  }

  @Test
  void a_revision_goes_and_leaves_the_other_whole() throws Exception {
    CachedRevisions both = two();
    both.delete(A);
    assertThat(folder().resolve("snapshots").resolve(A)).doesNotExist();
    assertThat(folder().resolve("refs/refs/pr/1")).doesNotExist();
    assertThat(folder().resolve(".no_exist").resolve(A)).doesNotExist();
    assertThat(folder().resolve("blobs/3")).doesNotExist();
    assertThat(folder().resolve("snapshots").resolve(B).resolve("model.safetensors")).hasSize(100);
    assertThat(lines(both.entries())).containsExactly("org/name@bbbbbbbb 120 main");
    both.delete(B);
    assertThat(folder()).doesNotExist();
    assertThat(cache.resolve(".locks/models--org--name")).doesNotExist();
  }

  @Test
  void a_download_that_broke_off_outlives_the_revisions() throws Exception {
    CachedRevisions both = two();
    content("4.peft4j.incomplete", 7);
    content("5", 5); // of nobody
    both.delete(A);
    assertThat(folder().resolve("blobs/5")).exists();
    both.delete(B);
    assertThat(folder().resolve("blobs/5")).doesNotExist();
    List<CacheEntry> left = both.incomplete();
    assertThat(lines(left)).containsExactly("org/name/4.peft4j 7 ");
    both.deleteIncomplete(left.get(0).path());
    assertThat(folder()).doesNotExist();
  }

  @Test
  void files_that_are_no_links_count_too() throws Exception {
    Path file = folder().resolve("snapshots").resolve(A).resolve("config.json");
    Files.createDirectories(file.getParent());
    Files.write(file, new byte[11]);
    CachedRevisions revisions = new CachedRevisions(cache, folder());
    assertThat(lines(revisions.entries())).containsExactly("org/name@aaaaaaaa 11 ");
    revisions.delete(A);
    assertThat(folder()).doesNotExist();
  }

  @Test
  void what_repositories_share_goes_with_the_last_of_them() throws Exception {
    String hash = "c".repeat(64);
    Path shared = cache.resolve("blobs/cc").resolve(hash);
    Files.createDirectories(shared.getParent());
    Files.write(shared, new byte[1000]);
    Files.createDirectories(folder().resolve("blobs"));
    Path other = cache.resolve("models--org--other/blobs/9");
    Files.createDirectories(other.getParent());
    for (Path link : List.of(folder().resolve("blobs/1"), other)) {
      Files.createSymbolicLink(link, link.getParent().relativize(shared));
    }
    Files.writeString(
        shared.resolveSibling(hash + ".refs"),
        "models--org--name/blobs/1\nmodels--org--other/blobs/9\n");
    name(A, "model.safetensors", "1");
    CachedRevisions revisions = new CachedRevisions(cache, folder());
    assertThat(lines(revisions.entries()))
        .containsExactly("org/name@aaaaaaaa 0 1.00 kB with what others share");
    revisions.delete(A);
    assertThat(shared).exists();
    Files.delete(other);
    Files.createDirectories(folder().resolve("blobs"));
    Path link = folder().resolve("blobs/1");
    Files.createSymbolicLink(link, link.getParent().relativize(shared));
    name(A, "model.safetensors", "1");
    assertThat(lines(revisions.entries())).containsExactly("org/name@aaaaaaaa 1000 ");
    revisions.delete(A);
    assertThat(shared).doesNotExist();
  }

  @Test
  void all_kinds_of_repositories_are_found() throws Exception {
    two();
    for (String other : List.of("datasets--org--rows", "blobs", "version.txt", "models")) {
      Files.createDirectories(cache.resolve(other).resolve("snapshots"));
    }
    assertThat(CachedRevisions.all(cache).stream().map(CachedRevisions::id))
        .containsExactly("datasets/org/rows", "org/name");
  }
}
