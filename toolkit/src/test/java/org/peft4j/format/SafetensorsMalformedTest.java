package org.peft4j.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("fast")
class SafetensorsMalformedTest {
  @TempDir Path folder;

  private static String tensor(String name, String dtype, String shape, String offsets) {
    return "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":%s}"
        .formatted(name, dtype, shape, offsets);
  }

  private static Arguments bad(String what, String header, int data, String... messages) {
    return Arguments.of(what, header, data, messages);
  }

  static Stream<Arguments> malformed() {
    String a = tensor("a", "F32", "[1]", "[0,4]");
    return Stream.of(
        bad("no JSON", "{\"a\":}", 0, "malformed JSON", "line 1 column 6 path $.a"),
        bad("cut JSON", "{\"a\":{", 0, "malformed JSON", "the end of the text"),
        bad("a list", "[]", 0, "JSON that starts with '{'", "\"[\""),
        bad("leading space", " {" + a + "}", 4, "JSON that starts with '{'"),
        bad("text after the end", "{" + a + "} x", 4, "malformed JSON"),
        bad("second value", "{" + a + "}{}", 4, "malformed JSON"),
        bad("comment", "{/**/" + a + "}", 4, "malformed JSON"),
        bad("NaN", "{\"a\":NaN}", 4, "malformed JSON"),
        bad("tensor no object", "{\"a\":[]}", 0, "expected an object", "path $.a"),
        bad("dtype no string", "{" + a.replace("\"F32\"", "3") + "}", 4, "expected a string"),
        bad(
            "unknown dtype",
            "{" + tensor("a", "F31", "[1]", "[0,4]") + "}",
            4,
            "\"a\": unknown dtype \"F31\""),
        bad(
            "negative size",
            "{" + tensor("a", "F32", "[-1]", "[0,4]") + "}",
            4,
            "\"a\": shape: expected sizes of at least 0, found [-1]"),
        bad("two negatives", "{" + tensor("a", "U8", "[-2,-2]", "[0,4]") + "}", 4, "at least 0"),
        bad(
            "overflow",
            "{" + tensor("a", "F32", "[4611686018427387904,4]", "[0,0]") + "}",
            0,
            "less than 2^63 bits"),
        bad(
            "overflow to the right product",
            "{" + tensor("a", "U8", "[4294967297,4294967297]", "[0,4]") + "}",
            4,
            "less than 2^63 bits"),
        bad(
            "overflow behind a zero",
            "{" + tensor("a", "U8", "[0,4611686018427387904,4]", "[0,0]") + "}",
            0,
            "less than 2^63 bits"),
        bad(
            "size beyond 64 bits",
            "{" + tensor("a", "U8", "[18446744073709551616]", "[0,0]") + "}",
            0,
            "an integer below 2^63"),
        bad("fraction", "{" + tensor("a", "U8", "[1.0]", "[0,1]") + "}", 1, "an integer"),
        bad("text as size", "{" + tensor("a", "U8", "[\"1\"]", "[0,1]") + "}", 1, "an integer"),
        bad(
            "many dimensions",
            "{" + tensor("a", "U8", "[" + "1,".repeat(99) + "1]", "[0,1]") + "}",
            1,
            "at most 64 dimensions"),
        bad("one offset", "{" + tensor("a", "U8", "[1]", "[0]") + "}", 1, "data_offsets", "[0]"),
        bad("three offsets", "{" + tensor("a", "U8", "[1]", "[0,1,2]") + "}", 1, "[0, 1, 2]"),
        bad("backwards", "{" + tensor("a", "U8", "[1]", "[1,0]") + "}", 1, "[1, 0]"),
        bad("negative offset", "{" + tensor("a", "U8", "[1]", "[-1,0]") + "}", 1, "[-1, 0]"),
        bad(
            "beyond the file",
            "{" + tensor("a", "F32", "[2]", "[0,8]") + "}",
            4,
            "\"a\": data_offsets: expected begin and end within 0 to 4, found [0, 8]"),
        bad(
            "size and shape differ",
            "{" + tensor("a", "F32", "[2]", "[0,4]") + "}",
            4,
            "\"a\": F32[2] takes 8 bytes, found 4"),
        bad("half a byte", "{" + tensor("a", "F4", "[1]", "[0,1]") + "}", 1, "whole bytes"),
        bad(
            "overlap",
            "{" + a + "," + tensor("b", "F32", "[1]", "[2,6]") + "}",
            6,
            "\"b\": begins at 2, the bytes before it end at 4: an overlap"),
        bad(
            "same place",
            "{" + a + "," + tensor("b", "F32", "[1]", "[0,4]") + "}",
            4,
            "begins at 0, the bytes before it end at 4: an overlap"),
        bad(
            "hole",
            "{" + a + "," + tensor("b", "F32", "[1]", "[8,12]") + "}",
            12,
            "\"b\": begins at 8, the bytes before it end at 4: a hole"),
        bad("hole at the start", "{" + tensor("a", "U8", "[1]", "[1,2]") + "}", 2, "a hole"),
        bad("more data", "{" + a + "}", 9, "the tensors end at 4, the file's data at 9"),
        bad("same name twice", "{" + a + "," + a + "}", 4, "the name stands there twice", "$.a"),
        bad(
            "same key twice",
            "{" + a.replace("\"shape\"", "\"dtype\":\"F32\",\"shape\"") + "}",
            4,
            "the key stands there twice"),
        bad("no dtype", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "one is missing"),
        bad("metadata no texts", "{\"__metadata__\":{\"a\":1}," + a + "}", 4, "a string"),
        bad("metadata a list", "{\"__metadata__\":[]," + a + "}", 4, "an object of strings"),
        bad(
            "deep nesting",
            "{\"a\":{\"x\":" + "[".repeat(500) + "]".repeat(500) + "}}",
            0,
            "malformed JSON",
            "esting limit"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("malformed")
  void refuses(String what, String header, int data, String[] messages) throws Exception {
    Path file =
        Files.write(folder.resolve("m.safetensors"), Fixtures.safetensors(header, new byte[data]));
    assertThatThrownBy(() -> Safetensors.open(file))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("m.safetensors")
        .hasMessageContainingAll(messages);
  }

  @Test
  void names_all_problems_at_once() throws Exception {
    String header =
        "{"
            + tensor("a", "F31", "[1]", "[0,4]")
            + ","
            + tensor("b", "F32", "[-1]", "[0,4]")
            + ","
            + tensor("c", "F32", "[1]", "[0,400]")
            + "}";
    Path file =
        Files.write(folder.resolve("m.safetensors"), Fixtures.safetensors(header, new byte[4]));
    assertThatThrownBy(() -> Safetensors.open(file))
        .hasMessageContainingAll("\"a\": unknown", "\"b\": shape", "\"c\": data_offsets", "fix: ");
  }

  @Test
  void refuses_header_lengths_that_do_not_fit() throws Exception {
    for (long length : new long[] {0, 1, 9, -1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 32}) {
      byte[] bytes = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putLong(length).array();
      Path file = Files.write(folder.resolve("m.safetensors"), bytes);
      assertThatThrownBy(() -> Safetensors.open(file))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("header length\nexpected: 2 to 8")
          .hasMessageContaining("found: " + Long.toUnsignedString(length));
    }
    for (int size : new int[] {0, 7}) {
      Path file = Files.write(folder.resolve("m.safetensors"), new byte[size]);
      assertThatThrownBy(() -> Safetensors.open(file)).hasMessageContaining("too short");
    }
  }

  @Test
  void refuses_a_header_beyond_the_limit_of_the_format() throws Exception {
    Path file = folder.resolve("m.safetensors");
    try (var out = new java.io.RandomAccessFile(file.toFile(), "rw")) {
      out.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(200_000_000).array());
      out.setLength(300_000_000); // sparse
    }
    assertThatThrownBy(() -> Safetensors.open(file))
        .hasMessageContaining("expected: 2 to 100000000\nfound: 200000000");
  }

  @Test
  void refuses_bytes_that_are_no_utf8() throws Exception {
    byte[] header = {'{', '"', (byte) 0xff, '"', ':', '1', '}'};
    Path file =
        Files.write(folder.resolve("m.safetensors"), Fixtures.safetensors(header, new byte[0]));
    assertThatThrownBy(() -> Safetensors.open(file))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("m.safetensors", "not UTF-8", "invalid bytes at 2");
  }

  @Test
  void accepts_what_hugging_face_accepts() throws Exception {
    String header =
        "{\"__metadata__\":null,"
            + tensor("late", "F32", "[1]", "[4,8]")
            + ","
            + tensor("empty", "F32", "[0]", "[4,4]")
            + ",\"early\":{\"extra\":[{}],\"data_offsets\":[0,4],\"shape\":[],"
            + "\"dtype\":\"F32\"}}   ";
    Path file =
        Files.write(folder.resolve("m.safetensors"), Fixtures.safetensors(header, new byte[8]));
    try (TensorSource source = Safetensors.open(file)) {
      assertThat(source.names()).containsExactly("late", "empty", "early");
    }
    Path empty = Files.write(file, Fixtures.safetensors("{}      ", new byte[0]));
    try (TensorSource source = Safetensors.open(empty)) {
      assertThat(source.names()).isEmpty();
    }
  }

  @Test
  void says_when_there_is_nothing_to_open() {
    assertThatThrownBy(() -> Safetensors.open(folder))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContainingAll("model.safetensors", "model.safetensors.index.json");
    assertThatThrownBy(() -> Safetensors.open(folder.resolve("x.safetensors")))
        .isInstanceOf(NoSuchFileException.class);
  }

  @Test
  void does_not_let_a_long_name_flood_the_message() throws Exception {
    String header = "{" + tensor("n".repeat(100_000), "F31", "[1]", "[0,1]") + "}";
    Path file =
        Files.write(folder.resolve("m.safetensors"), Fixtures.safetensors(header, new byte[1]));
    assertThatThrownBy(() -> Safetensors.open(file))
        .hasMessageContaining("(100000 characters)")
        .satisfies(e -> assertThat(e.getMessage().length()).isLessThan(1000));
  }
}
