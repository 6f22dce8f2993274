package org.peft4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("fast")
class LabelledFilesTest {
  @TempDir Path folder;

  private Path file(String name, String text) throws IOException {
    return Files.writeString(folder.resolve(name), text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"\n", "\r\n", "\r"})
  void csv_fields_in_quotes_hold_anything(String end) throws IOException {
    String text =
        """
        id,text,label
        1,plain,b
        2,"a, b",a
        3,"she said ""no\""",a
        4,"two
        lines",b

        5,,a
        6,"",b
        7,it's 5" long,b"""
            .replace("\n", end);
    Examples data = Examples.csv(file("data.csv", text), "text", "label");
    assertThat(data.texts())
        .containsExactly(
            "plain", "a, b", "she said \"no\"", "two" + end + "lines", "", "", "it's 5\" long");
    assertThat(data.rows().stream().map(data::label))
        .containsExactly("b", "a", "a", "b", "a", "b", "b");
  }

  @Test
  void csv_may_begin_with_a_byte_order_mark_and_quote_its_header() throws IOException {
    Examples data =
        Examples.csv(file("d.csv", "\uFEFF\"text\",\"label\"\nä€😀, x \n"), "text", "label");
    assertThat(data.texts()).containsExactly("ä€😀");
    assertThat(data.labels()).containsExactly("x");
  }

  @Test
  void tsv_is_separated_by_tabs() throws IOException {
    Examples data =
        Examples.csv(file("d.tsv", "label\ttext\n1\ta, b\n0\t\"c\td\"\n"), "text", "label");
    assertThat(data.texts()).containsExactly("a, b", "c\td");
    assertThat(data.labels()).containsExactly("0", "1");
  }

  @Test
  void csv_errors_name_every_line() throws IOException {
    Path bad =
        file(
            "bad.csv",
            "text,label\nok,x\none field\na,b,c\n\"two\nlines\"z,x\nno label,\n\"open,x\n");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Examples.csv(bad, "text", "label"))
        .withMessageContaining(bad + ":3: 1 fields, not 2")
        .withMessageContaining(bad + ":4: 3 fields, not 2")
        .withMessageContaining(bad + ":6: text behind a closing quote: z")
        .withMessageContaining(bad + ":7: no label in column label")
        .withMessageContaining(bad + ":8: a quote that is never closed")
        .withMessageContaining("expected: a CSV file")
        .withMessageContaining("fix: ")
        .withMessageNotContaining(":2:");
  }

  @Test
  void lines_that_end_with_two_chars_count_once() throws IOException {
    Path bad = file("bad.csv", "text,label\r\n\"a\r\nb\",x\r\n\r\none field\r\n");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Examples.csv(bad, "text", "label"))
        .withMessageContaining(bad + ":5: 1 fields");
  }

  @Test
  void csv_errors_name_the_columns_there_are() throws IOException {
    Path csv = file("d.csv", "sentence,label\nx,1\n");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Examples.csv(csv, "text", "label"))
        .withMessageContaining("expected: [text, label]")
        .withMessageContaining("found: [sentence, label]");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Examples.csv(file("e.csv", "\n\n"), "text", "label"))
        .withMessageContaining("e.csv: the file is empty");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Examples.csv(file("f.csv", "text,label\n"), "text", "label"))
        .withMessageContaining("f.csv: no examples");
  }

  @Test
  void jsonl_takes_strings_numbers_and_booleans_as_labels() throws IOException {
    Path file =
        file(
            "d.jsonl",
            """
            {"text": "a \\"b\\" \\u00e4", "label": 1}
            {"label": 1.0, "text": "", "other": [1, {"x": null}]}

            {"text": "c", "label": true}
            {"text": "d", "label": " pos "}
            {"text": "e", "label": 0.5}
            """);
    Examples data = Examples.jsonl(file, "text", "label");
    assertThat(data.texts()).containsExactly("a \"b\" ä", "", "c", "d", "e");
    assertThat(data.rows().stream().map(data::label))
        .containsExactly("1", "1", "true", "pos", "0.5");
  }

  @Test
  void jsonl_errors_name_every_line() throws IOException {
    Path file =
        file(
            "d.jsonl",
            """
            {"text": "a", "label": "x"}
            {"text": "a"}
            {"text": 5, "label": "x"}
            {"text": "a", "label": null}
            {"text": "a", "label": ["x"]}
            {"text": "a", "label": "x"
            ["a", "x"]
            {"sentence": "a", "label": "x"}
            """);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Examples.jsonl(file, "text", "label"))
        .withMessageContaining(file + ":2: no \"label\" among [text]")
        .withMessageContaining(file + ":3: \"text\": 5")
        .withMessageContaining(file + ":4: \"label\": null")
        .withMessageContaining(file + ":5: \"label\": [x]")
        .withMessageContaining(file + ":6: not JSON: {\"text\": \"a\"")
        .withMessageContaining(file + ":7: [\"a\", \"x\"]")
        .withMessageContaining(file + ":8: no \"text\" among [sentence, label]")
        .withMessageContaining("fix: ")
        .withMessageNotContaining("more");
  }

  @Test
  void many_errors_are_counted_not_listed() throws IOException {
    Path file = file("d.jsonl", "{}\n".repeat(1000));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Examples.jsonl(file, "text", "label"))
        .withMessageContaining("and 992 more")
        .satisfies(e -> assertThat(e.getMessage().lines().count()).isLessThan(15));
  }

  @Test
  void says_when_a_file_is_absent_or_not_utf_8() throws IOException {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Examples.csv(folder.resolve("no.csv"), "text", "label"))
        .withMessageContaining("no.csv: no such file");
    Path latin = folder.resolve("latin.csv");
    Files.write(latin, "text,label\nä,x\n".getBytes(StandardCharsets.ISO_8859_1));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Examples.csv(latin, "text", "label"))
        .withMessageContaining("latin.csv: not text in UTF-8");
  }
}
