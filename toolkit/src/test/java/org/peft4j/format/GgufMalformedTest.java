package org.peft4j.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Heads that lie: each gives one exception that names the file and what is wrong. */
@Tag("fast")
class GgufMalformedTest {
  private static final long HUGE = 1L << 60;

  @TempDir Path folder;

  static Stream<Arguments> heads() {
    return Stream.of(
        lie("empty", new GgufBytes(), "magic"),
        lie("another format", new GgufBytes().text("hello world"), "not a GGUF file"),
        lie("version 1", new GgufBytes().head(1, 0, 0), "found: 1"),
        lie("version 4", new GgufBytes().head(4, 0, 0), "2 or 3"),
        lie("big-endian", new GgufBytes().head(0x03000000, 0, 0), "a big-endian file"),
        lie("many tensors", new GgufBytes().head(3, HUGE, 0), "number of tensors"),
        lie("negative tensors", new GgufBytes().head(3, -1, 0), "number of tensors"),
        lie("many keys", new GgufBytes().head(3, 0, HUGE), "number of keys"),
        lie("a long key", pairs(1).i64(HUGE).raw(new byte[20]), "key 0: length"),
        lie("a negative length", pairs(1).i64(-1).raw(new byte[20]), "key 0: length"),
        lie("an unknown type", pairs(1).text("k").i32(13).i64(0), "0 to 12"),
        lie("a negative type", pairs(1).text("k").i32(-1).i64(0), "0 to 12"),
        lie("a long text", pairs(1).text("k").i32(8).i64(HUGE).i64(0), "\"k\": length"),
        lie("no UTF-8", pairs(1).text("k").i32(8).i64(2).raw((byte) -1, (byte) 0), "not UTF-8"),
        lie("a flag of 2", pairs(1).text("k").i32(7).raw((byte) 2, (byte) 0), "0 or 1"),
        lie("a long array", array(4).i64(HUGE).i64(0), "number of elements"),
        lie("an overflowing array", array(10).i64(Long.MAX_VALUE / 8 + 2).i64(0), "of elements"),
        lie("an array of unknown type", array(77).i64(1).i64(0), "elements: type"),
        lie("a flag of 3 in an array", array(7).i64(1).raw((byte) 3), "0 or 1"),
        lie(
            "arrays nested deep",
            array(9).i64(1).i32(9).i64(1).i32(9).i64(1).i32(9).i64(1).i32(9).i64(1).i32(9).i64(0),
            "nested"),
        lie(
            "a key twice",
            pairs(2).text("k").i32(0).raw((byte) 1).text("k").i32(0).raw((byte) 1),
            "twice"),
        lie("an alignment of 0", alignment(0), "a power of two"),
        lie("an alignment of 24", alignment(24), "a power of two"),
        lie("an alignment as text", pairs(1).text("general.alignment").i32(8).text("32"), "UINT32"),
        lie("a long name", tensors(1).i64(HUGE).raw(new byte[40]), "tensor 0: name"),
        lie("five dimensions", tensors(1).text("t").i32(5).raw(new byte[60]), "0 to 4"),
        lie("negative dimensions", tensors(1).text("t").i32(-1).raw(new byte[60]), "0 to 4"),
        lie("a negative dimension", tensor(0, 0, -4), "at least 0"),
        lie("overflowing dimensions", tensor(0, 0, 1L << 32, 1L << 32), "2^63"),
        lie("a huge dimension", tensor(0, 0, 1L << 59), "within the data"),
        lie("a huge dimension of doubles", tensor(28, 0, 1L << 59), "within the data"),
        lie("zeros that hide", tensor(0, 0, 0, 1L << 62), "2^63"),
        lie("half a block", tensor(8, 0, 33), "a multiple of 32"),
        lie("an unknown tensor type", tensor(99, 0, 1), "unknown tensor type 99"),
        lie("a type that was removed", tensor(4, 0, 32), "unknown tensor type 4"),
        lie("an offset outside", tensor(0, 1L << 40, 1), "within the data"),
        lie("a negative offset", tensor(0, -32, 1), "within the data"),
        lie("an offset off the alignment", tensor(0, 4, 1).align().i64(0).i64(0), "alignment 32"),
        lie("a name twice", two("t", 0, "t", 32), "twice"),
        lie("an overlap", two("t", 0, "u", 0), "inside of the tensor before it"));
  }

  private static Arguments lie(String what, GgufBytes bytes, String message) {
    return Arguments.of(what, bytes.bytes(), message);
  }

  private static GgufBytes pairs(int n) {
    return new GgufBytes().head(3, 0, n);
  }

  private static GgufBytes array(int element) {
    return pairs(1).text("k").i32(9).i32(element);
  }

  private static GgufBytes alignment(int n) {
    return pairs(1).text("general.alignment").i32(4).i32(n);
  }

  private static GgufBytes tensors(int n) {
    return new GgufBytes().head(3, n, 0);
  }

  private static GgufBytes tensor(int type, long offset, long... dimensions) {
    return declare(tensors(1), "t", type, offset, dimensions);
  }

  private static GgufBytes declare(
      GgufBytes b, String name, int type, long offset, long... dimensions) {
    b.text(name).i32(dimensions.length);
    for (long d : dimensions) {
      b.i64(d);
    }
    return b.i32(type).i64(offset);
  }

  private static GgufBytes two(String first, long at, String second, long then) {
    GgufBytes b = declare(tensors(2), first, 0, at, 4);
    return declare(b, second, 0, then, 4).align().raw(new byte[64]);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("heads")
  void a_lie_is_named(String what, byte[] bytes, String message) throws Exception {
    Path file = Files.write(folder.resolve("lie.gguf"), bytes);
    assertThatThrownBy(() -> TensorSource.open(file))
        .as(what)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("lie.gguf", message);
  }

  @Test
  void a_file_cut_anywhere_is_refused() throws Exception {
    byte[] whole = Files.readAllBytes(GgufFixtures.path("written.gguf"));
    Path file = folder.resolve("cut.gguf");
    int last = whole.length - 32; // the file may end in padding
    for (int n = 0; n < last; n += n < 1200 ? 1 : 97) {
      Files.write(file, Arrays.copyOf(whole, n));
      assertThatThrownBy(() -> TensorSource.open(file))
          .as("cut at " + n)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("cut.gguf");
    }
  }

  @Test
  void a_file_cut_while_it_is_open_is_an_error() throws Exception {
    Path file = Files.copy(GgufFixtures.path("written.gguf"), folder.resolve("w.gguf"));
    try (TensorSource source = TensorSource.open(file);
        var manager = org.peft4j.tensor.Torch.newManager()) {
      Files.write(file, new byte[100]);
      for (String name : source.names()) {
        assertThatThrownBy(() -> source.load(name, manager))
            .isInstanceOf(UncheckedIOException.class)
            .hasMessageContainingAll("w.gguf", name)
            .cause()
            .isInstanceOf(IOException.class);
      }
      assertThat(manager.getManagedArrays()).isEmpty();
    }
  }
}
