package org.peft4j.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.tensor.Torch;

@Tag("fast")
class SafetensorsReadTest {
  @TempDir Path folder;
  private NDManager manager;
  private TensorSource source;

  @BeforeEach
  void open() throws Exception {
    manager = Torch.newManager();
    source = Safetensors.open(Fixtures.path("dtypes.safetensors"));
  }

  @AfterEach
  void close() {
    source.close();
    manager.close();
  }

  @Test
  void keeps_64_and_32_bit_floats_bit_for_bit() {
    NDArray f64 = source.load("f64", manager);
    assertThat(f64.getShape()).isEqualTo(new Shape(2, 2));
    assertThat(f64.toDoubleArray())
        .containsExactly(0.1, -1e300, Double.MIN_VALUE, Double.POSITIVE_INFINITY);
    NDArray f32 = source.load("f32", manager);
    assertThat(f32.getShape()).isEqualTo(new Shape(3, 2));
    assertThat(f32.toFloatArray())
        .containsExactly(0.1f, -Float.MAX_VALUE, Float.MIN_VALUE, Float.NEGATIVE_INFINITY, 2f, -0f);
  }

  @Test
  void keeps_integers_and_booleans() {
    assertThat(source.load("i64", manager).toLongArray())
        .containsExactly(Long.MIN_VALUE, Long.MAX_VALUE, 0, -1);
    assertThat(source.load("i32", manager).toIntArray())
        .containsExactly(Integer.MIN_VALUE, Integer.MAX_VALUE, 7);
    NDArray i16 = source.load("i16", manager);
    assertThat(i16.getDataType()).isEqualTo(DataType.INT32);
    assertThat(Fixtures.bits(i16)).containsExactly(-32768, 32767);
    assertThat(source.load("i8", manager).toByteArray()).containsExactly(-128, 127, 0);
    NDArray u8 = source.load("u8", manager);
    assertThat(u8.getDataType()).isEqualTo(DataType.UINT8);
    assertThat(u8.toUint8Array()).containsExactly(0, 255, 128);
    assertThat(source.load("bool", manager).toBooleanArray()).containsExactly(true, false, true);
  }

  @Test
  void widens_every_short_float_as_pytorch_does() throws Exception {
    try (TensorSource expected = Safetensors.open(Fixtures.path("dtypes-widened.safetensors"))) {
      for (String name : List.of("f16", "bf16", "f8_e4m3", "f8_e5m2")) {
        NDArray found = source.load(name, manager);
        NDArray wanted = expected.load(name, manager);
        assertThat(found.getDataType()).isEqualTo(DataType.FLOAT32);
        assertThat(found.getShape()).isEqualTo(wanted.getShape());
        assertThat(Fixtures.bits(found)).as(name).isEqualTo(Fixtures.bits(wanted));
      }
    }
  }

  @Test
  void loads_scalars_and_empty_tensors() {
    NDArray scalar = source.load("scalar", manager);
    assertThat(scalar.getShape()).isEqualTo(new Shape());
    assertThat(scalar.getFloat()).isEqualTo(2.5f);
    assertThat(source.load("empty", manager).getShape()).isEqualTo(new Shape(0, 3));
  }

  @Test
  void lists_names_in_file_order_with_type_shape_and_size() {
    assertThat(source.names())
        .startsWith("u64", "i64", "f64", "empty", "f32", "scalar", "u32", "i32", "bf16", "f16");
    assertThat(source.info("f8_e4m3"))
        .isEqualTo(new TensorSource.Info("F8_E4M3", new Shape(16, 16), 256));
    assertThat(source.info("i64")).isEqualTo(new TensorSource.Info("I64", new Shape(4), 32));
  }

  @Test
  void refuses_unsigned_types_on_load_but_lists_them() {
    for (String name : List.of("u16", "u32", "u64")) {
      assertThat(source.info(name).dtype()).isEqualTo(name.toUpperCase(java.util.Locale.ROOT));
      assertThatThrownBy(() -> source.load(name, manager))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContainingAll("dtypes.safetensors", "\"" + name + "\"", "convert the tensor");
    }
  }

  @Test
  void names_the_nearest_when_a_tensor_is_missing() {
    assertThatThrownBy(() -> source.load("f8_e4m", manager))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no such tensor\nexpected: \"f8_e4m\"")
        .hasMessageContaining("nearest: \"f8_e4m3\", \"f8_e5m2\"");
    assertThatThrownBy(() -> source.info("x")).hasMessageContaining("dtypes.safetensors");
  }

  @Test
  void reads_metadata() throws Exception {
    assertThat(Safetensors.metadata(Fixtures.path("written.safetensors")))
        .containsExactly(java.util.Map.entry("fo\"r", "p\nt é"));
    assertThat(Safetensors.metadata(Fixtures.path("written-plain.safetensors"))).isEmpty();
  }

  @Test
  void loads_the_same_through_small_windows() throws Exception {
    float[] values = source.load("f32", manager).toFloatArray();
    try (var channel = java.nio.channels.FileChannel.open(Fixtures.path("dtypes.safetensors"))) {
      var header = SafetensorsHeader.read(source.origin(), channel);
      for (String name : List.of("f32", "bf16", "f8_e5m2", "i64", "bool")) {
        var slot = header.slots().get(name);
        NDArray whole = source.load(name, manager);
        NDArray parts =
            Elements.load(
                manager,
                slot.type(),
                slot.shape(),
                (offset, into) ->
                    SafetensorsHeader.readFully(
                        source.origin(), channel, slot.begin() + offset, into),
                8);
        assertThat(Fixtures.bits(parts)).as(name).isEqualTo(Fixtures.bits(whole));
        assertThat(parts.getShape()).isEqualTo(whole.getShape());
      }
    }
    assertThat(values).hasSize(6);
  }

  @Test
  void survives_the_file_being_deleted_and_stays_valid_after_close() throws Exception {
    Path copy = Files.copy(Fixtures.path("dtypes.safetensors"), folder.resolve("c.safetensors"));
    NDArray before;
    try (TensorSource open = Safetensors.open(copy)) {
      before = open.load("f32", manager);
    }
    Files.delete(copy);
    assertThat(before.toFloatArray()[0]).isEqualTo(0.1f);
  }

  @Test
  void says_so_when_the_file_was_cut_short_after_opening() throws Exception {
    Path copy = Files.copy(Fixtures.path("dtypes.safetensors"), folder.resolve("c.safetensors"));
    try (TensorSource open = Safetensors.open(copy)) {
      Files.write(copy, new byte[10]);
      assertThatThrownBy(() -> open.load("f32", manager))
          .isInstanceOf(java.io.UncheckedIOException.class)
          .hasMessageContainingAll("c.safetensors", "f32");
    }
    assertThat(manager.getManagedArrays()).isEmpty();
  }

  @Test
  void takes_any_nonzero_byte_for_true() throws Exception {
    byte[] file =
        Fixtures.safetensors(
            "{\"b\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[0,3]}}",
            new byte[] {0, 7, -1});
    Path path = Files.write(folder.resolve("b.safetensors"), file);
    try (TensorSource open = Safetensors.open(path)) {
      assertThat(Fixtures.bits(open.load("b", manager))).containsExactly(0, 1, 1);
    }
  }

  @Test
  void widens_all_65536_binary16_values_as_pytorch_does() throws Exception {
    NDArray half = manager.create(new Shape(1 << 16), DataType.FLOAT16);
    var bytes = org.peft4j.tensor.Buffers.view(half);
    short[] codes = new short[1 << 16];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (short) i;
    }
    bytes.asShortBuffer().put(codes);
    int[] found = new int[codes.length];
    ShortFloats.widen(ElementType.F16, codes, codes.length, found);
    float[] wanted = half.toType(DataType.FLOAT32, false).toFloatArray();
    for (int i = 0; i < found.length; i++) {
      assertThat(Float.floatToIntBits(Float.intBitsToFloat(found[i])))
          .isEqualTo(Float.floatToIntBits(wanted[i]));
    }
  }
}
