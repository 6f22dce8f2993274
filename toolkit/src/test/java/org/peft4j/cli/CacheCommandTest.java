package org.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("fast")
class CacheCommandTest {
  private static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";

  @TempDir Path folder;
  private final Map<String, @Nullable String> before = new HashMap<>();
  private Path weights;
  private Path natives;
  private Path repository;

  @BeforeEach
  void start() throws IOException {
    set("HF_HUB_CACHE", folder.resolve("hub"));
    set("PEFT4J_HOME", folder.resolve("home"));
    set("ENGINE_CACHE_DIR", folder.resolve("home/natives"));
    set("java.io.tmpdir", Files.createDirectory(folder.resolve("tmp")));
    weights = folder.resolve("home/maven/dev/x/weights/1.0-0a1b2c3d/files/w.onnx");
    natives = folder.resolve("home/natives/pytorch/2.7.1-cpu-linux-x86_64/libtorch.so");
    repository = folder.resolve("hub/models--org--name");
    for (Path file :
        List.of(weights, natives, repository.resolve("snapshots/" + COMMIT + "/config.json"))) {
      Files.createDirectories(file.getParent());
      Files.write(file, new byte[2000]);
    }
    Files.createDirectories(repository.resolve("refs"));
    Files.writeString(repository.resolve("refs/main"), COMMIT);
  }

  private void set(String name, Path value) {
    before.put(name, System.getProperty(name));
    System.setProperty(name, value.toString());
  }

  @AfterEach
  void stop() {
    before.forEach(
        (name, value) -> {
          if (value == null) {
            System.clearProperty(name);
          } else {
            System.setProperty(name, value);
          }
        });
  }

  private static List<String> names(Map<String, Object> json) {
    return ((List<?>) json.get("entries"))
        .stream().map(e -> String.valueOf(((Map<?, ?>) e).get("name"))).toList();
  }

  @Test
  void shows_all_with_sizes_and_places() {
    assertThat(Ran.of("cache").well().out())
        .contains(
            "hub: 2.00 kB in " + folder.resolve("hub"),
            "org/name@01234567",
            "main",
            "maven: 2.00 kB in " + folder.resolve("home/maven"),
            "weights:1.0",
            "natives: 2.00 kB in " + folder.resolve("home/natives"),
            "pytorch/2.7.1-cpu-linux-x86_64",
            "6.00 kB in all");
    Map<String, Object> json = Ran.of("cache", "--json").json();
    assertThat(json).containsEntry("bytes", 6000L);
    assertThat(names(json))
        .containsExactly("org/name@01234567", "weights:1.0", "pytorch/2.7.1-cpu-linux-x86_64");
  }

  @Test
  void a_dry_run_deletes_nothing() {
    Ran ran = Ran.of("cache", "--clean", "maven", "--clean", "org/name", "--dry-run").well();
    assertThat(ran.out()).contains("weights:1.0", "org/name@", "would delete 4.00 kB");
    assertThat(weights).exists();
    assertThat(repository).exists();
  }

  @Test
  void deletes_what_is_named_and_says_how_much() {
    Ran ran = Ran.of("cache", "--clean", "weights:1.0", "--clean", "hub:org/name", "--yes").well();
    assertThat(ran.out()).contains("deleted 4.00 kB");
    assertThat(folder.resolve("home/maven/dev")).doesNotExist();
    assertThat(repository).doesNotExist();
    assertThat(natives).exists();
    Map<String, Object> json = Ran.of("cache", "--clean", "natives", "--yes", "--json").json();
    assertThat(json).containsEntry("deleted", true).containsEntry("bytes", 2000L);
    assertThat(natives).doesNotExist();
  }

  @Test
  void without_a_terminal_it_wants_yes() {
    Ran ran = Ran.of("cache", "--clean", "natives");
    assertThat(ran.code()).isEqualTo(1);
    assertThat(ran.err()).contains("nobody can be asked here", "expected: --yes");
    assertThat(natives).exists();
  }

  @Test
  void unused_is_what_nobody_read_for_days() {
    assertThat(Ran.of("cache", "--unused", "30", "--dry-run").well().out())
        .contains("nothing to delete");
    assertThat(names(Ran.of("cache", "--unused", "0", "--dry-run", "--json").json())).hasSize(3);
    assertThat(
            names(Ran.of("cache", "--clean", "hub", "--unused", "0", "--dry-run", "--json").json()))
        .containsExactly("org/name@01234567");
  }

  @Test
  void an_unknown_name_lists_those_that_are_there() {
    Ran ran = Ran.of("cache", "--clean", "org/other", "--yes");
    assertThat(ran.code()).isEqualTo(1);
    assertThat(ran.err()).contains("--clean org/other", "found: org/name@01234567, weights:1.0");
  }
}
