package org.peft4j.text;

import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("fast")
class TokenizerErrorsTest {
  @TempDir Path folder;

  @Test
  void names_a_file_that_is_not_there() {
    Path missing = folder.resolve("tokenizer.json");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Tokenizer.load(missing))
        .withMessageContaining(missing + ": no such file");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Tokenizer.load(folder))
        .withMessageContaining(missing + ": no such file");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "null",
        "[]",
        "hello",
        "{",
        "{}",
        "{\"model_type\": \"bert\"}",
        "{\"model\": {\"type\": \"WordLevel\"}}",
        "{\"model\": {\"type\": \"Nope\", \"vocab\": {\"a\": 0}}}",
        "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a\": \"x\"}, \"unk_token\": \"a\"}}",
        "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a\": 2147483647}}}",
        "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a\": -1}, \"unk_token\": \"a\"}}",
        "{\"added_tokens\": [{}], \"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a\": 0}}}",
        "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"b c\"]}}"
      })
  void says_of_any_other_text_that_it_is_not_a_tokenizer(String json) {
    Path file = TinyTokenizer.write(folder, json);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Tokenizer.load(file).close())
        .withMessageContaining(file + ": not a tokenizer file")
        .withMessageContaining("found: ")
        .withMessageContaining("fix: ")
        .withMessageNotContaining("null\n");
  }

  @Test
  void says_so_of_bytes_and_of_every_cut_off_file() throws IOException {
    Path file = folder.resolve("model.bin");
    Files.write(file, new byte[] {(byte) 0x80, 2, (byte) 0xFF});
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Tokenizer.load(file))
        .withMessageContaining("not UTF-8");
    String whole = TinyTokenizer.WORD_PIECE.strip();
    for (int end = 0; end < whole.length(); end += 97) {
      Files.writeString(file, whole.substring(0, end));
      assertThatIllegalArgumentException().isThrownBy(() -> Tokenizer.load(file));
    }
  }
}
