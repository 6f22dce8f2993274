package org.peft4j.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.format.Safetensors.Entry;
import org.peft4j.tensor.Torch;

@Tag("fast")
class ShardsTest {
  private static final List<String> NAMES = List.of("e", "a", "big", "b", "c", "d");
  private static final List<Integer> SIZES = List.of(30, 10, 200, 20, 20, 5);

  @TempDir Path folder;
  private NDManager manager;

  @BeforeEach
  void open() {
    manager = Torch.newManager();
  }

  @AfterEach
  void close() {
    manager.close();
  }

  private List<Entry> entries() {
    List<Entry> entries = new ArrayList<>();
    for (int i = 0; i < NAMES.size(); i++) {
      entries.add(
          Entry.of(
              NAMES.get(i),
              manager
                  .arange(SIZES.get(i))
                  .toType(ai.djl.ndarray.types.DataType.FLOAT32, false)
                  .add(i)));
    }
    return entries;
  }

  @Test
  void reads_a_sharded_directory() throws Exception {
    try (TensorSource source = Safetensors.open(Fixtures.path("sharded"))) {
      assertThat(source.names()).containsExactlyInAnyOrderElementsOf(NAMES);
      for (int i = 0; i < NAMES.size(); i++) {
        NDArray array = source.load(NAMES.get(i), manager);
        assertThat(array.getShape()).isEqualTo(new Shape(SIZES.get(i)));
        assertThat(array.toFloatArray()[3]).isEqualTo(3f + i);
      }
      assertThat(source.origin()).hasFileName("model.safetensors.index.json");
      assertThatThrownBy(() -> source.load("x", manager)).hasMessageContaining("no such tensor");
    }
  }

  @Test
  void writes_the_very_files_that_transformers_writes() throws Exception {
    Safetensors.writeSharded(folder, entries(), 200, Map.of("format", "pt"));
    assertThat(list(folder)).isEqualTo(list(Fixtures.path("sharded")));
    for (String name : list(folder)) {
      assertThat(Fixtures.mismatch(folder.resolve(name), "sharded/" + name)).as(name).isEqualTo(-1);
    }
  }

  @Test
  void writes_one_file_without_an_index_when_all_fits() throws Exception {
    Safetensors.writeSharded(folder, entries(), 1140, Map.of("format", "pt"));
    assertThat(list(folder)).containsExactly("model.safetensors");
  }

  @Test
  void removes_what_an_earlier_save_left() throws Exception {
    Files.writeString(folder.resolve("config.json"), "{}");
    Files.writeString(folder.resolve("model-of-mine.safetensors"), "");
    Safetensors.writeSharded(folder, entries(), 100, Map.of());
    assertThat(list(folder)).contains("model-00001-of-00005.safetensors");
    Safetensors.writeSharded(folder, entries(), 200, Map.of());
    assertThat(list(folder))
        .containsExactly(
            "config.json",
            "model-00001-of-00003.safetensors",
            "model-00002-of-00003.safetensors",
            "model-00003-of-00003.safetensors",
            "model-of-mine.safetensors",
            "model.safetensors.index.json");
    Safetensors.writeSharded(folder, entries(), 5000, Map.of());
    assertThat(list(folder))
        .containsExactly("config.json", "model-of-mine.safetensors", "model.safetensors");
    Safetensors.writeSharded(folder, entries(), 200, Map.of());
    assertThat(list(folder)).doesNotContain("model.safetensors");
  }

  @Test
  void a_save_that_breaks_off_is_refused_instead_of_mixed() throws Exception {
    Safetensors.writeSharded(folder, entries(), 200, Map.of());
    List<Entry> broken = new ArrayList<>(entries());
    broken.set(
        5,
        new Entry(
            "d",
            "F32",
            new Shape(5),
            () -> {
              throw new IllegalStateException("out of power");
            }));
    assertThatThrownBy(() -> Safetensors.writeSharded(folder, broken, 200, Map.of()))
        .hasMessage("out of power");
    assertThatThrownBy(() -> Safetensors.open(folder)).hasMessageContaining("holds neither");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../outside.safetensors",
        "/etc/passwd",
        "a/../../outside.safetensors",
        "..\\\\outside.safetensors",
        "C:evil.safetensors",
        "",
        "."
      })
  void refuses_files_outside_of_the_directory(String name) throws Exception {
    Path inside = Files.createDirectory(folder.resolve("in"));
    Files.copy(Fixtures.path("written.safetensors"), folder.resolve("outside.safetensors"));
    index(inside, "{\"weight_map\":{\"z\":\"" + name + "\"}}");
    assertThatThrownBy(() -> Safetensors.open(inside))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(
            "index.json", "\"z\": expected the name of a file in the same folder");
  }

  @Test
  void names_missing_tensors_and_missing_files_together() throws Exception {
    Files.copy(Fixtures.path("written.safetensors"), folder.resolve("s.safetensors"));
    index(
        folder,
        """
        {"weight_map":{"z":"s.safetensors","gone":"s.safetensors","b":"absent.safetensors","c":3}}
        """);
    assertThatThrownBy(() -> Safetensors.open(folder))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(
            "\"gone\": not in ", "s.safetensors", "\"b\": no file ", "\"c\": expected the name")
        .hasMessageNotContaining("\"z\"");
  }

  @Test
  void refuses_an_index_without_a_map_and_one_that_is_no_json() throws Exception {
    index(folder, "{\"weight_map\":[]}");
    assertThatThrownBy(() -> Safetensors.open(folder))
        .hasMessageContainingAll("index.json: weight_map", "found: a list");
    index(folder, "{\"weight_map\":{\"a\":\"x\",\"a\":\"y\"}}");
    assertThatThrownBy(() -> Safetensors.open(folder))
        .hasMessageContainingAll("index.json", "the key stands there twice");
  }

  @Test
  void reads_directories_of_older_models_too() throws Exception {
    Files.copy(Fixtures.path("torch/protocol4.bin"), folder.resolve("pytorch_model.bin"));
    try (TensorSource source = TensorSource.open(folder)) {
      assertThat(source.load("w", manager).toFloatArray()).containsExactly(1, 2);
    }
    Files.move(folder.resolve("pytorch_model.bin"), folder.resolve("pytorch_model-1.bin"));
    Path index = folder.resolve("pytorch_model.bin.index.json");
    Files.writeString(index, "{\"weight_map\":{\"w\":\"pytorch_model-1.bin\"}}");
    try (TensorSource source = TensorSource.open(folder)) {
      assertThat(source.load("w", manager).toFloatArray()).containsExactly(1, 2);
    }
    Safetensors.writeSharded(folder, entries(), 5000, Map.of());
    try (TensorSource source = TensorSource.open(folder)) {
      assertThat(source.names()).contains("big");
    }
    Files.writeString(index, "{\"weight_map\":{\"w\":\"" + index.getFileName() + "\"}}");
    assertThatThrownBy(() -> TensorSource.open(index))
        .hasMessageContaining("no PyTorch checkpoint");
  }

  @Test
  void follows_links_as_the_hub_cache_has_them() throws Exception {
    Path blobs = Files.createDirectory(folder.resolve("blobs"));
    Path snapshot = Files.createDirectory(folder.resolve("snapshot"));
    Files.copy(Fixtures.path("written.safetensors"), blobs.resolve("4711"));
    Files.createSymbolicLink(snapshot.resolve("s.safetensors"), Path.of("../blobs/4711"));
    index(snapshot, "{\"weight_map\":{\"z\":\"s.safetensors\"}}");
    try (TensorSource source = Safetensors.open(snapshot)) {
      assertThat(source.load("z", manager).toFloatArray()).containsExactly(0, 1, 2, 3, 4, 5);
    }
  }

  private static void index(Path folder, String json) throws IOException {
    Files.writeString(folder.resolve("model.safetensors.index.json"), json);
  }

  private static List<String> list(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(f -> f.getFileName().toString()).sorted().toList();
    }
  }
}
