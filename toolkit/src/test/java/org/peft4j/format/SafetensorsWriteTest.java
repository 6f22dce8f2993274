package org.peft4j.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.format.Safetensors.Entry;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Torch;

@Tag("fast")
class SafetensorsWriteTest {
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

  private NDArray floats(Shape shape, float... values) {
    return Buffers.create(manager, values, shape);
  }

  private NDArray bytes(DataType type, int... values) {
    return Buffers.create(
        manager,
        new Shape(values.length),
        type,
        out -> {
          for (int v : values) {
            out.put((byte) v);
          }
        });
  }

  /** The tensors of written.safetensors, in another order than the file's. */
  private List<Entry> tensors() {
    List<Entry> out = new ArrayList<>();
    out.add(Entry.of("B", floats(new Shape(1), 1)));
    out.add(Entry.of("k.bool", bytes(DataType.BOOLEAN, 1, 0)));
    out.add(Entry.of("z", floats(new Shape(2, 3), 0, 1, 2, 3, 4, 5)));
    out.add(Entry.of("a", floats(new Shape(), 1.5f)));
    out.add(Entry.of("é\"\\\n\t\u0001\u007f/\ud83d\ude00\uffee", manager.create(new Shape(0, 2))));
    out.add(Entry.of("k.f64", Buffers.create(manager, new double[] {0.5}, new Shape(1))));
    out.add(new Entry("k.f16", "F16", new Shape(2), () -> floats(new Shape(2), 0.5f, -2)));
    out.add(Entry.of("k.i64", Buffers.create(manager, new long[] {1, 2, 3}, new Shape(3))));
    out.add(
        Entry.of(
            "k.i32", Buffers.create(manager, new Shape(1), DataType.INT32, b -> b.putInt(-1))));
    out.add(Entry.of("k.i8", bytes(DataType.INT8, -3)));
    out.add(Entry.of("k.u8", bytes(DataType.UINT8, 200, 1, 2)));
    out.add(new Entry("k.bf16", "BF16", new Shape(2), () -> floats(new Shape(2), 1, -0.1f)));
    return out;
  }

  @Test
  void writes_the_bytes_that_hugging_face_writes() throws Exception {
    Path file = folder.resolve("w.safetensors");
    Safetensors.write(file, tensors(), Map.of("fo\"r", "p\nt é"));
    assertThat(Fixtures.mismatch(file, "written.safetensors")).isEqualTo(-1);
    Safetensors.write(file, tensors(), Map.of());
    assertThat(Fixtures.mismatch(file, "written-plain.safetensors")).isEqualTo(-1);
  }

  @Test
  void writes_half_precision_arrays_as_they_are() throws Exception {
    List<Entry> tensors = tensors();
    NDArray half =
        Buffers.create(
            manager,
            new Shape(2),
            DataType.FLOAT16,
            b -> b.putShort((short) 0x3800).putShort((short) 0xc000));
    tensors.replaceAll(e -> e.name().equals("k.f16") ? Entry.of("k.f16", half) : e);
    Path file = folder.resolve("w.safetensors");
    Safetensors.write(file, tensors, Map.of());
    assertThat(Fixtures.mismatch(file, "written-plain.safetensors")).isEqualTo(-1);
  }

  @Test
  void reads_back_what_it_wrote() throws Exception {
    Map<String, NDArray> tensors = new LinkedHashMap<>();
    for (Entry e : tensors()) {
      tensors.put(e.name(), e.values().get());
    }
    Path file = folder.resolve("w.safetensors");
    Safetensors.write(file, tensors, Map.of("b", "2", "a", "1"));
    try (TensorSource source = Safetensors.open(file)) {
      assertThat(source.names()).containsExactlyInAnyOrderElementsOf(tensors.keySet());
      tensors.forEach(
          (name, array) -> {
            NDArray found = source.load(name, manager);
            assertThat(found.getDataType()).isEqualTo(array.getDataType());
            assertThat(found.getShape()).isEqualTo(array.getShape());
            assertThat(Fixtures.bits(found)).as(name).isEqualTo(Fixtures.bits(array));
          });
    }
    assertThat(Safetensors.metadata(file)).containsOnly(Map.entry("a", "1"), Map.entry("b", "2"));
  }

  @Test
  void rounds_to_short_floats_as_pytorch_does() throws Exception {
    try (TensorSource source = Safetensors.open(Fixtures.path("narrowed.safetensors"))) {
      NDArray x = source.load("x", manager);
      Path file = folder.resolve("n.safetensors");
      Safetensors.write(
          file,
          List.of(
              Entry.of("x", x),
              new Entry("f16", "F16", x.getShape(), () -> x),
              new Entry("bf16", "BF16", x.getShape(), () -> x)),
          Map.of("format", "pt"));
      assertThat(Fixtures.mismatch(file, "narrowed.safetensors")).isEqualTo(-1);
    }
  }

  @Test
  void rounds_not_a_number_to_not_a_number() {
    for (int bits : new int[] {0x7fc00000, 0x7f800001, 0x7fffffff, 0xffc00000, 0xff800001}) {
      int sign = bits >>> 16 & 0x8000;
      assertThat(ShortFloats.toF16(bits)).isEqualTo(0x7e00 | sign);
      assertThat(ShortFloats.toBf16(bits)).isEqualTo(0x7fc0 | sign);
    }
  }

  @Test
  void writes_a_transposed_view_in_its_own_order_through_windows_too() throws Exception {
    NDArray view = floats(new Shape(2, 3), 0, 1, 2, 3, 4, 5).transpose();
    Path file = folder.resolve("t.safetensors");
    Safetensors.write(file, Map.of("t", view), Map.of());
    try (TensorSource source = Safetensors.open(file)) {
      assertThat(source.load("t", manager).toFloatArray()).containsExactly(0, 3, 1, 4, 2, 5);
    }
    for (ElementType type : new ElementType[] {ElementType.F32, ElementType.BF16}) {
      ByteBuffer whole = ByteBuffer.allocate(64);
      ByteBuffer parts = ByteBuffer.allocate(64);
      Elements.store(view, type, whole::put, Elements.WINDOW);
      Elements.store(view, type, parts::put, 8);
      assertThat(parts).isEqualTo(whole);
    }
  }

  @Test
  void makes_one_array_at_a_time_and_frees_it() throws Exception {
    int[] alive = {0, 0};
    List<Entry> entries = new ArrayList<>();
    List<NDArray> made = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      entries.add(
          new Entry(
              "t" + i,
              "F32",
              new Shape(2),
              () -> {
                alive[0] = (int) made.stream().filter(a -> !a.isReleased()).count();
                alive[1] = Math.max(alive[1], alive[0]);
                NDArray array = manager.ones(new Shape(2));
                made.add(array);
                return array;
              }));
    }
    Safetensors.write(folder.resolve("s.safetensors"), entries, Map.of());
    assertThat(alive[1]).isZero();
    assertThat(made).hasSize(5).allMatch(NDArray::isReleased);
  }

  @Test
  void leaves_the_callers_arrays_open() throws Exception {
    NDArray mine = floats(new Shape(1), 7);
    Safetensors.write(folder.resolve("s.safetensors"), Map.of("mine", mine), Map.of());
    assertThat(mine.toFloatArray()).containsExactly(7);
  }

  @Test
  void refuses_all_bad_entries_at_once_and_writes_nothing() throws Exception {
    NDArray one = floats(new Shape(1), 1);
    List<Entry> entries =
        List.of(
            Entry.of("twice", one),
            Entry.of("twice", one),
            Entry.of("__metadata__", one),
            new Entry("odd", "F31", new Shape(1), () -> one),
            new Entry("half", "F4", new Shape(1), () -> one));
    Path file = folder.resolve("s.safetensors");
    assertThatThrownBy(() -> Safetensors.write(file, entries, Map.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(
            "s.safetensors",
            "\"twice\": the name is taken",
            "\"__metadata__\": the name is taken",
            "\"odd\": unknown dtype \"F31\"",
            "\"half\": expected whole bytes");
    assertThatThrownBy(
            () ->
                Safetensors.write(
                    file, List.of(new Entry("i", "I64", new Shape(1), () -> one)), Map.of()))
        .hasMessageContaining(
            "\"i\" is not what was announced\nexpected: I64 (1)\nfound: float32 (1)");
    assertThatThrownBy(
            () ->
                Safetensors.write(
                    file, List.of(new Entry("s", "F32", new Shape(2), () -> one)), Map.of()))
        .hasMessageContaining("expected: F32 (2)\nfound: float32 (1)");
    assertThatThrownBy(() -> Safetensors.write(file, Map.of("\ud800", one), Map.of()))
        .hasMessageContaining("surrogate");
    try (var files = Files.list(folder)) {
      assertThat(files).isEmpty();
    }
  }
}
