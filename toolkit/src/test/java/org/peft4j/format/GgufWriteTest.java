package org.peft4j.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Torch;

/** Files written here against those of the Python package gguf, to the byte. */
@Tag("fast")
class GgufWriteTest {
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

  private static Gguf.Entry entry(String name, String type, NDArray array) {
    return new Gguf.Entry(name, type, array.getShape(), () -> array);
  }

  @Test
  void bytes_are_those_of_the_reference() throws Exception {
    Map<String, GgufValue> keys = new LinkedHashMap<>();
    keys.put("general.architecture", GgufValue.text("llama"));
    keys.put("llama.block_count", GgufValue.uint32(2));
    keys.put("llama.rope.freq_base", GgufValue.float32(10000));
    keys.put("tokenizer.ggml.add_bos_token", GgufValue.flag(true));
    keys.put("tokenizer.ggml.tokens", GgufValue.texts(List.of("<s>", "é", "😀")));
    keys.put("tokenizer.ggml.token_type", GgufValue.int32s(new int[] {1, 2, 3}));
    keys.put("tokenizer.ggml.scores", GgufValue.float32s(new float[] {0, -1.5f, -2}));
    Path file = folder.resolve("deep/er/w.gguf");
    try (TensorSource source = Safetensors.open(GgufFixtures.path("written.safetensors"))) {
      NDArray x = source.load("x", manager);
      List<Gguf.Entry> entries = new ArrayList<>();
      entries.add(entry("short", "F32", source.load("short", manager)));
      for (String type : List.of("F32", "F16", "BF16", "Q8_0", "Q4_0")) {
        entries.add(entry("x." + type, type, x));
      }
      Gguf.write(file, keys, entries);
    }
    assertThat(Files.mismatch(file, GgufFixtures.path("written.gguf"))).isEqualTo(-1);
  }

  @Test
  void every_type_of_metadata_comes_back() throws Exception {
    Path file = folder.resolve("m.gguf");
    try (GgufFile types = Gguf.open(GgufFixtures.path("types.gguf"))) {
      Map<String, GgufValue> keys = new LinkedHashMap<>(types.metadata().values());
      GgufValue row = GgufValue.int32s(new int[] {1, 2});
      keys.put("nested", new GgufValue(GgufValue.Type.ARRAY, GgufValue.Type.ARRAY, List.of(row)));
      Gguf.write(file, keys, List.of());
      try (GgufFile again = Gguf.open(file)) {
        assertThat(again.metadata().values().keySet()).containsExactlyElementsOf(keys.keySet());
        assertThat(again.metadata().values()).usingRecursiveComparison().isEqualTo(keys);
      }
    }
  }

  @Test
  void large_tensors_are_packed_in_pieces() throws Exception {
    float[] values = new float[(1 << 16) * 17 + 96];
    Random random = new Random(1);
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    NDArray array = Buffers.create(manager, values, new Shape(1, values.length));
    Path file = folder.resolve("l.gguf");
    Gguf.write(file, Map.of(), List.of(entry("a", "Q8_0", array), entry("b", "Q4_0", array)));
    try (TensorSource source = Gguf.open(file)) {
      float[] a = source.load("a", manager).toFloatArray();
      float[] b = source.load("b", manager).toFloatArray();
      for (int i = 0; i < values.length; i++) {
        assertThat(a[i]).isBetween(values[i] - 0.03f, values[i] + 0.03f);
        assertThat(b[i]).isBetween(values[i] - 0.9f, values[i] + 0.9f);
      }
    }
  }

  @Test
  void what_cannot_be_written_is_named_and_leaves_no_file() throws Exception {
    NDArray odd = manager.zeros(new Shape(2, 33));
    NDArray whole = manager.zeros(new Shape(2), DataType.INT64);
    Path file = folder.resolve("n.gguf");
    List<Gguf.Entry> wrong =
        List.of(
            entry("odd", "Q8_0", odd),
            entry("t", "F32", odd),
            entry("t", "F32", odd),
            entry("k", "Q4_K", odd),
            entry("five", "F32", manager.zeros(new Shape(1, 1, 1, 1, 1))));
    assertThatThrownBy(() -> Gguf.write(file, Map.of(), wrong))
        .hasMessageContainingAll(
            "n.gguf",
            "\"odd\": expected rows of a multiple of 32",
            "\"t\": the name is taken",
            "\"k\": expected one of the types [F32, F16, Q4_0, Q8_0, BF16]",
            "\"five\": more than 4");
    assertThatThrownBy(() -> Gguf.write(file, Map.of(), List.of(entry("i", "F32", whole))))
        .hasMessageContainingAll("\"i\"", "expected: float32", "found: int64");
    assertThatThrownBy(
            () -> Gguf.write(file, Map.of("general.alignment", GgufValue.uint32(64)), List.of()))
        .hasMessageContaining("always 32");
    assertThatThrownBy(() -> Gguf.write(file, Map.of("k", GgufValue.text("\ud800")), List.of()))
        .hasMessageContaining("Unicode");
    try (Stream<Path> left = Files.list(folder)) {
      assertThat(left).isEmpty();
    }
  }

  @Test
  void a_failure_half_way_keeps_the_old_file() throws IOException {
    Path file = folder.resolve("k.gguf");
    Gguf.write(file, Map.of("v", GgufValue.uint32(1)), List.of());
    NDArray a = manager.ones(new Shape(64));
    Gguf.Entry broken =
        new Gguf.Entry(
            "b",
            "F32",
            a.getShape(),
            () -> {
              throw new IllegalStateException("stop");
            });
    assertThatThrownBy(() -> Gguf.write(file, Map.of(), List.of(entry("a", "F32", a), broken)))
        .hasMessage("stop");
    try (GgufFile old = Gguf.open(file)) {
      assertThat(old.metadata().integer("v")).isEqualTo(1);
    }
  }
}
