package org.peft4j.text;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.tensor.Torch;

/**
 * A {@code tokenizer.json}, read once, for the native tokenizer and for its vocabulary, with the
 * special tokens that the files beside it name.
 *
 * @param path where it lies, or the file that it was made from
 * @param source what it was made from, if that is no {@code tokenizer.json}
 */
record TokenizerFile(
    Path path,
    Vocabulary vocabulary,
    Map<String, String> specialTokens,
    HuggingFaceTokenizer tokenizer,
    ChatSource chat,
    @Nullable GgmlVocabulary source) {
  private static final long LARGEST = 256L << 20; // the largest known is an eighth of it
  private static final Map<String, String> AS_ASKED_ONLY =
      Map.of("truncation", "do_not_truncate", "padding", "do_not_pad");

  static TokenizerFile read(Path path) {
    Path file = Files.isDirectory(path) ? path.resolve("tokenizer.json") : path;
    if (!Files.isRegularFile(file)) {
      throw new IllegalArgumentException(
          file + ": no such file\nexpected: a tokenizer.json, or a folder that holds one");
    }
    try {
      if (Files.size(file) > LARGEST) {
        throw notTokenizer(file, "a file of %,d bytes".formatted(Files.size(file)), null);
      }
      return parse(file, Files.readString(file), ChatSource.beside(file), null);
    } catch (CharacterCodingException e) {
      throw notTokenizer(file, "bytes that are not UTF-8 text", e);
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /** A tokenizer of what another file says. */
  static TokenizerFile of(GgmlVocabulary source, Path file) {
    ChatSource chat =
        new ChatSource(
            source.chatTemplate(), source.token(source.begin()), source.token(source.end()));
    String json;
    try {
      json = GgmlTokenizer.json(source);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(file + ": tokenizer: " + e.getMessage(), e);
    }
    try {
      return parse(file, json, chat, source);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The text of the {@code tokenizer.json}. */
  String json() {
    try {
      return source != null ? GgmlTokenizer.json(source) : Files.readString(path);
    } catch (IOException e) {
      throw new UncheckedIOException(path + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /** What a GGUF file says of it. */
  GgmlVocabulary ggml() {
    try {
      return source != null ? source : TokenizerJson.vocabulary(json(), chat);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          path + ": cannot stand in a GGUF file: " + e.getMessage(), e);
    }
  }

  private static TokenizerFile parse(
      Path file, String json, ChatSource chat, @Nullable GgmlVocabulary source) throws IOException {
    Vocabulary vocabulary;
    try {
      vocabulary = Vocabulary.parse(json);
    } catch (IOException e) {
      throw notTokenizer(file, e.getMessage(), e);
    }
    Map<String, String> special =
        source == null ? SpecialTokens.read(folder(file)) : chat.specialTokens();
    Torch.start(); // sets DJL offline; the native library then comes from the class path
    try {
      var bytes = new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8));
      return new TokenizerFile(
          file,
          vocabulary,
          special,
          HuggingFaceTokenizer.newInstance(bytes, AS_ASKED_ONLY),
          chat,
          source);
    } catch (RuntimeException e) { // whatever the native parser says
      throw notTokenizer(file, e.getMessage(), e);
    }
  }

  /** Where the files beside it lie. */
  static Path folder(Path file) {
    Path parent = file.toAbsolutePath().getParent();
    return parent == null ? Path.of("") : parent;
  }

  private static IllegalArgumentException notTokenizer(
      Path file, @Nullable String found, @Nullable Throwable cause) {
    return new IllegalArgumentException(
        file
            + ": not a tokenizer file\nexpected: JSON as the Hugging Face tokenizers library writes"
            + " it\nfound: "
            + (found == null ? "" : found.lines().findFirst().orElse(""))
            + "\nfix: in Python, AutoTokenizer.from_pretrained(NAME).save_pretrained(FOLDER) writes"
            + " one",
        cause);
  }
}
