package org.peft4j.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("fast")
class JsonTest {
  @TempDir Path folder;

  @Test
  void reads_plain_java_values_in_file_order() throws Exception {
    Path file = folder.resolve("c.json");
    Files.writeString(
        file, "{\"b\": [1, -2.5, 1e3, true, null, {\"x\": \"\\u00e9\"}], \"a\": 9007199254740993}");
    Map<String, Object> found = Json.read(file);
    assertThat(found.keySet()).containsExactly("b", "a");
    assertThat(found.get("a")).isEqualTo(9007199254740993L);
    assertThat(found.get("b"))
        .isEqualTo(Arrays.asList(1L, -2.5, 1000.0, true, null, Map.of("x", "é")));
  }

  @Test
  void tells_integers_from_floats_as_python_does() {
    assertThat(Json.parse("[1, 1.0, 1e0, -0, -0.0, 0.1]", "t"))
        .isEqualTo(List.of(1L, 1.0, 1.0, 0L, -0.0, 0.1));
    assertThat(Json.parse("[9223372036854775807, 9223372036854775808]", "t"))
        .isEqualTo(List.of(Long.MAX_VALUE, new BigInteger("9223372036854775808")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\0',
      value = {
        "{\"a\": }|line 1 column 7 path $.a",
        "{\"a\": 1|the end of the text",
        "{\"a\": 1,}|line 1 column",
        "{\"a\": 1} x|line 1 column",
        "{\"a\": 1}{}|line 1 column",
        "[1]|not a JSON object",
        "{'a': 1}|line 1 column",
        "{a: 1}|line 1 column",
        "{\"a\": NaN}|line 1 column 7",
        "{\"a\": Infinity}|line 1 column 7",
        "{\"a\": -Infinity}|line 1 column 7",
        "{\"a\": 1e999}|beyond the range of a double",
        "{\"a\": 01}|line 1 column 7",
        "{\"a\": +1}|line 1 column 7",
        "{\"a\": .5}|line 1 column 7",
        "{\"a\": TRUE}|line 1 column 7",
        "{\"a\": 1 // no comments}|line 1 column",
        "{\"a\": \"\\x\"}|line 1 column",
        "{\"a\": 1, \"a\": 2}|the key stands there twice at line 1 column 13 path $.a",
        "{\"a\": {\"b\": [1, {\"c\": ]}]}}|path $.a.b[1].c",
      })
  void refuses_malformed_text_with_its_place(String text, String message) throws Exception {
    Path file = folder.resolve("c.json");
    Files.writeString(file, text);
    assertThatThrownBy(() -> Json.read(file))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(file.toString(), message)
        .hasMessageNotContaining("setStrictness");
  }

  @Test
  void refuses_what_is_too_deep_too_long_or_no_utf8() throws Exception {
    assertThatThrownBy(() -> Json.parse("[".repeat(100_000), "deep"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("deep", "esting limit");
    assertThat(Json.parse("[".repeat(100) + "]".repeat(100), "ok")).isNotNull();
    assertThatThrownBy(() -> Json.parse("1".repeat(2000), "long"))
        .hasMessageContainingAll("long", "malformed JSON");
    Path file = Files.write(folder.resolve("c.json"), new byte[] {'{', '"', (byte) 0xc3, '"', '}'});
    assertThatThrownBy(() -> Json.read(file))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("c.json", "not UTF-8", "invalid bytes at 2");
    try (var big = new java.io.RandomAccessFile(file.toFile(), "rw")) {
      big.setLength((256L << 20) + 1); // sparse
    }
    assertThatThrownBy(() -> Json.read(file)).hasMessageContainingAll("c.json", "too large");
  }

  @Test
  void writes_the_bytes_that_python_writes() {
    Object value = Json.parse(Fixtures.text("json/source.json"), "source.json");
    assertThat(Json.format(value)).isEqualTo(Fixtures.text("json/sorted.json"));
    assertThat(Json.formatUnsorted(value)).isEqualTo(Fixtures.text("json/indented.json"));
    assertThat(Json.line(value)).isEqualTo(Fixtures.text("json/line.json"));
  }

  @Test
  void writes_floats_as_python_does() {
    List<String> lines = Fixtures.text("json/floats.txt").lines().toList();
    assertThat(lines).hasSizeGreaterThan(250);
    for (String line : lines) {
      String[] parts = line.split(" ");
      double value = Double.longBitsToDouble(Long.parseUnsignedLong(parts[0], 16));
      assertThat(PythonJson.number(value)).isEqualTo(parts[1]);
      assertThat(PythonJson.number(-value)).isEqualTo("-" + parts[1]);
    }
  }

  @Test
  void reads_back_what_it_wrote() {
    Object value = Json.parse(Fixtures.text("json/sorted.json"), "sorted.json");
    assertThat(Json.parse(Json.line(value), "again")).isEqualTo(value);
    assertThat(Json.format(Json.parse(Json.format(value), "again"))).isEqualTo(Json.format(value));
  }

  @Test
  void writes_any_collection_and_number() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("set", new java.util.TreeSet<>(List.of("b", "a")));
    map.put("numbers", Arrays.asList(1, (short) 2, (byte) 3, 4L, 0.5f, null));
    map.put("half", "\ud83d");
    assertThat(Json.line(map))
        .isEqualTo(
            "{\"set\": [\"a\", \"b\"], \"numbers\": [1, 2, 3, 4, 0.5, null], "
                + "\"half\": \"\\ud83d\"}");
  }

  @Test
  void refuses_what_json_cannot_hold() {
    assertThatThrownBy(() -> Json.format(Double.NaN)).hasMessageContaining("NaN");
    assertThatThrownBy(() -> Json.format(List.of(Double.NEGATIVE_INFINITY)))
        .hasMessageContaining("-Infinity");
    assertThatThrownBy(() -> Json.format(Map.of(1, 2))).hasMessageContaining("string keys");
    assertThatThrownBy(() -> Json.format(Path.of("x"))).hasMessageContaining("UnixPath");
    List<Object> loop = new ArrayList<>();
    loop.add(loop);
    assertThatThrownBy(() -> Json.format(loop)).hasMessageContaining("deeper");
    assertThat(Json.format(Collections.singletonMap("a", null))).isEqualTo("{\n  \"a\": null\n}");
  }

  @Test
  void reads_utf8_with_a_byte_order_mark() throws Exception {
    Path file = folder.resolve("bom.json");
    Files.write(file, "\ufeff{\"ä\": 1}".getBytes(StandardCharsets.UTF_8));
    assertThat(Json.read(file)).containsEntry("ä", 1L);
  }
}
