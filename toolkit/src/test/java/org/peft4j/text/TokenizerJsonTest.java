package org.peft4j.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.format.GgufFixtures;
import org.peft4j.format.Json;

/** Tokenizer files of Hugging Face's library in the words of GGUF, and back. */
@Tag("fast")
class TokenizerJsonTest {
  private static final String TEXT =
      "Hello, world! don't IT'S 12345\n\n  x <tool>é<|im_end|> 🙂 математика";

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"smollm", "gpt-2", "llama-bpe", "qwen2", "tekken"})
  void a_way_of_splitting_is_known_again(String pre) {
    try (Tokenizer original = Tokenizer.load(GgufFixtures.path("tokenizer-" + pre + ".json"))) {
      GgmlVocabulary v = original.ggml();
      assertThat(v.model()).isEqualTo("gpt2");
      assertThat(v.pre()).isEqualTo(pre);
      assertThat(v.kind(1)).isEqualTo(GgmlVocabulary.Kind.CONTROL);
      assertThat(v.kind(380)).isEqualTo(GgmlVocabulary.Kind.USER_DEFINED);
      assertThat(v.kind(100)).isEqualTo(GgmlVocabulary.Kind.NORMAL);
      assertThat(v.addBegin()).isFalse();
      try (Tokenizer again = Tokenizer.of(v, Path.of("m.gguf"))) {
        assertThat(again.encode(TEXT)).isEqualTo(original.encode(TEXT));
        assertThat(again.ggml()).isSameAs(v);
        assertThat(again.vocabularySize()).isEqualTo(original.vocabularySize());
      }
    }
  }

  @Test
  void what_was_made_of_pieces_makes_the_same_pieces() throws Exception {
    Path file = folder.resolve("tokenizer.json");
    try (Tokenizer original = GgmlTokenizerTest.tokenizer()) {
      Files.writeString(file, original.json());
      Files.writeString(
          folder.resolve("tokenizer_config.json"),
          "{\"bos_token\": {\"content\": \"<s>\"}, \"eos_token\": \"</s>\", \"chat_template\":"
              + " [{\"name\": \"tool_use\", \"template\": \"x\"},"
              + " {\"name\": \"default\", \"template\": \"y\"}]}");
      try (Tokenizer loaded = Tokenizer.load(file)) {
        GgmlVocabulary v = loaded.ggml();
        assertThat(v.model()).isEqualTo("llama");
        assertThat(v.tokens()).isEqualTo(original.ggml().tokens());
        assertThat(v.kinds()).isEqualTo(original.ggml().kinds());
        assertThat(v.begin()).isEqualTo(1);
        assertThat(v.end()).isEqualTo(2);
        assertThat(v.unknown()).isEqualTo(0);
        assertThat(v.addBegin()).isTrue();
        assertThat(v.addEnd()).isFalse();
        assertThat(v.addSpace()).isTrue();
        assertThat(v.chatTemplate()).isEqualTo("y");
        try (Tokenizer again = Tokenizer.of(v, Path.of("m.gguf"))) {
          assertThat(again.encode("aab<s>ba b")).isEqualTo(original.encode("aab<s>ba b"));
          assertThat(Json.parse(again.json(), "again")).isEqualTo(Json.parse(original.json(), "o"));
        }
      }
    }
  }

  @Test
  void a_template_in_a_file_of_its_own_goes_first() throws Exception {
    TinyTokenizer.write(folder, TinyTokenizer.BYTE_BPE);
    Files.writeString(folder.resolve("tokenizer_config.json"), "{\"chat_template\": \"old\"}");
    Files.writeString(folder.resolve("chat_template.jinja"), "new");
    try (Tokenizer t = Tokenizer.load(folder)) {
      assertThat(t.chatSource()).isEqualTo(new ChatSource("new", null, null));
      assertThat(t.ggml().pre()).isEqualTo("gpt-2");
      assertThat(t.ggml().tokens()).hasSize(14).last().isEqualTo("<|end|>");
    }
    Files.writeString(folder.resolve("tokenizer_config.json"), "[1");
    assertThatThrownBy(() -> Tokenizer.load(folder))
        .hasMessageContainingAll("tokenizer_config.json", "not a JSON object");
  }

  @ParameterizedTest
  @ValueSource(strings = {TinyTokenizer.WORD_PIECE, TinyTokenizer.UNIGRAM})
  void kinds_that_gguf_has_no_words_for_are_named(String json) {
    TinyTokenizer.write(folder, json);
    try (Tokenizer t = Tokenizer.load(folder)) {
      assertThatThrownBy(t::ggml)
          .hasMessageContainingAll(
              "tokenizer.json", "cannot stand in a GGUF file", "byte-level BPE");
    }
  }

  @Test
  void a_split_that_gguf_has_no_name_for_is_named() {
    TinyTokenizer.write(
        folder, TinyTokenizer.BYTE_BPE.replace("\"use_regex\": true}", "\"use_regex\": false}"));
    try (Tokenizer t = Tokenizer.load(folder)) {
      assertThatThrownBy(t::ggml).hasMessageContainingAll("pre_tokenizer", "smollm", "found: []");
    }
  }
}
