package org.peft4j.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.tensor.Torch;

/** Against the Python package gguf: every tensor type to the bit, every type of metadata. */
@Tag("fast")
class GgufReadTest {
  @TempDir Path folder;

  @Test
  void every_type_unpacks_to_what_the_reference_gives() throws Exception {
    try (NDManager manager = Torch.newManager();
        TensorSource source = TensorSource.open(GgufFixtures.path("types.gguf"));
        TensorSource expected = Safetensors.open(GgufFixtures.path("types.safetensors"))) {
      assertThat(source.names()).hasSize(20).hasSameElementsAs(expected.names());
      for (String name : source.names()) {
        NDArray found = source.load(name, manager);
        NDArray want = expected.load(name, manager);
        assertThat(source.info(name).dtype()).isEqualTo(name);
        assertThat(found.getShape()).as(name).isEqualTo(want.getShape());
        assertThat(found.getDataType()).as(name).isEqualTo(want.getDataType());
        assertThat(Fixtures.bits(found)).as(name).isEqualTo(Fixtures.bits(want));
      }
    }
  }

  @Test
  void types_that_can_be_loaded_are_all_tested() {
    assertThat(GgmlType.loadable()).hasSize(20);
  }

  @Test
  void metadata_keeps_its_types() throws Exception {
    try (GgufFile file = Gguf.open(GgufFixtures.path("types.gguf"))) {
      GgufMetadata m = file.metadata();
      assertThat(m.values().keySet()).startsWith("general.architecture", "u8", "i8", "u16");
      assertThat(m.integer("u8")).isEqualTo(255);
      assertThat(m.integer("i8")).isEqualTo(-128);
      assertThat(m.integer("u16")).isEqualTo(65535);
      assertThat(m.integer("i16")).isEqualTo(-32768);
      assertThat(m.integer("u32")).isEqualTo(4294967295L);
      assertThat(m.integer("i32")).isEqualTo(Integer.MIN_VALUE);
      assertThat(m.integer("u64")).isEqualTo(Long.MAX_VALUE);
      assertThat(m.integer("i64")).isEqualTo(Long.MIN_VALUE);
      assertThat(m.number("f32")).isEqualTo(1e-5);
      assertThat(m.number("f64")).isEqualTo(0.1);
      assertThat(m.number("u8")).isEqualTo(255);
      assertThat(m.flag("yes")).isTrue();
      assertThat(m.flag("no")).isFalse();
      assertThat(m.text("text")).isEqualTo("größe 😀\n\0 end");
      assertThat(m.texts("texts")).containsExactly("a", "ü", "😀");
      assertThat(m.integers("ints")).containsExactly(1, -2, 3);
      assertThat(m.floats("floats")).containsExactly(0.5f, -1.5f);
      assertThat(m.integers("bytes")).containsExactly(0, 1, 255);
      assertThat(m.values().get("flags"))
          .isNotNull()
          .extracting(GgufValue::content)
          .isEqualTo(new boolean[] {true, false});
      assertThat(m.text("absent")).isNull();
    }
  }

  @Test
  void a_key_of_another_type_is_an_error_with_names() throws Exception {
    try (GgufFile file = Gguf.open(GgufFixtures.path("types.gguf"))) {
      GgufMetadata m = file.metadata();
      assertThatThrownBy(() -> m.text("u8"))
          .hasMessageContainingAll("types.gguf", "\"u8\"", "expected: a string", "found: UINT8");
      assertThatThrownBy(() -> m.integer("texts")).hasMessageContaining("STRING[3]");
      assertThatThrownBy(() -> m.requireText("absent")).hasMessageContaining("no such key");
      assertThatThrownBy(() -> m.integers("texts")).hasMessageContaining("integers");
      assertThatThrownBy(() -> m.flag("f32")).hasMessageContaining("true or false");
      assertThat(m.uniform("u8")).isEqualTo(255);
      assertThatThrownBy(() -> m.uniform("ints")).hasMessageContaining("for all layers");
    }
  }

  @Test
  void large_tensors_are_unpacked_in_pieces() throws Exception {
    // 3 pieces and a rest: every block counts up, so that a misplaced piece shows
    int blocks = 3 * (1 << 16) / 32 + 5;
    byte[] packed = new byte[blocks * 34];
    for (int b = 0; b < blocks; b++) {
      GgmlBlock.half(1, packed, b * 34);
      packed[b * 34 + 2] = (byte) (b % 128);
      packed[b * 34 + 33] = (byte) (b / 128);
    }
    Path file = folder.resolve("large.gguf");
    Files.write(
        file, GgufBytes.file(Map.of(), List.of(GgufBytes.tensor("t", 8, packed, 32L * blocks))));
    try (NDManager manager = Torch.newManager();
        TensorSource source = Gguf.open(file)) {
      float[] found = source.load("t", manager).toFloatArray();
      for (int b = 0; b < blocks; b++) {
        assertThat(found[b * 32]).isEqualTo((float) (byte) (b % 128));
        assertThat(found[b * 32 + 31]).isEqualTo((float) (byte) (b / 128));
      }
    }
  }

  @Test
  void a_missing_tensor_and_a_type_that_cannot_be_loaded_are_named() throws Exception {
    Path file = folder.resolve("odd.gguf");
    Files.write(
        file, GgufBytes.file(Map.of(), List.of(GgufBytes.tensor("t", 19, new byte[50], 256))));
    try (NDManager manager = Torch.newManager();
        TensorSource source = Gguf.open(file)) {
      assertThat(source.info("t").dtype()).isEqualTo("IQ1_S");
      assertThatThrownBy(() -> source.load("t", manager))
          .hasMessageContainingAll("odd.gguf", "Q4_K", "found: IQ1_S", "fix:");
      assertThatThrownBy(() -> source.load("u", manager)).hasMessageContaining("nearest: \"t\"");
      assertThat(manager.getManagedArrays()).isEmpty();
    }
  }
}
