package org.peft4j.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;
import org.peft4j.text.Tokenizer;

/** Language models with random weights, whose tokens are the words of some texts. */
public final class Untrained {
  private static final String END = "<end>";
  private static final String UNKNOWN = "<unknown>";
  private static final int HEAD = 32;
  private static final long CONTEXT = 128;

  private Untrained() {}

  /**
   * A small Llama. Its end token is its first, unknown words are its second.
   *
   * @param hidden width of a token, a multiple of 32
   * @param texts whose words, split at white space, are its tokens
   */
  public static Pretrained llama(int layers, int hidden, List<String> texts) {
    if (layers < 1 || hidden < HEAD || hidden % HEAD != 0 || texts.isEmpty()) {
      throw new IllegalArgumentException(
          "an untrained model\nexpected: at least 1 layer, a multiple of "
              + HEAD
              + " as its width, some texts\nfound: "
              + layers
              + " layers, "
              + hidden
              + ", "
              + texts.size()
              + " texts");
    }
    Map<String, @Nullable Object> vocabulary = new LinkedHashMap<>();
    List.of(END, UNKNOWN).forEach(w -> vocabulary.put(w, (long) vocabulary.size()));
    for (String text : texts) {
      for (String word : text.strip().split("\\s+")) {
        vocabulary.putIfAbsent("\u2581" + word, (long) vocabulary.size());
      }
    }
    Map<String, @Nullable Object> c = new LinkedHashMap<>();
    c.put("architectures", List.of("LlamaForCausalLM"));
    c.put("model_type", "llama");
    c.put("vocab_size", (long) vocabulary.size());
    c.put("hidden_size", (long) hidden);
    c.put("intermediate_size", 3L * hidden);
    c.put("num_hidden_layers", (long) layers);
    c.put("num_attention_heads", (long) hidden / HEAD);
    c.put("num_key_value_heads", (long) hidden / HEAD);
    c.put("max_position_embeddings", CONTEXT);
    c.put("rms_norm_eps", 1e-5);
    c.put("tie_word_embeddings", true);
    c.put("eos_token_id", 0L);
    c.put("bos_token_id", 0L);
    String name = "untrained";
    return Loader.untrained(name, new Config(name, c), words(vocabulary), 0);
  }

  private static Tokenizer words(Map<String, @Nullable Object> vocabulary) {
    Map<String, @Nullable Object> spaces = new LinkedHashMap<>();
    spaces.put("type", "Metaspace");
    spaces.put("replacement", "\u2581");
    spaces.put("prepend_scheme", "always");
    spaces.put("split", true);
    Map<String, @Nullable Object> model = new LinkedHashMap<>();
    model.put("type", "WordLevel");
    model.put("vocab", vocabulary);
    model.put("unk_token", UNKNOWN);
    Map<String, @Nullable Object> json = new LinkedHashMap<>();
    json.put("version", "1.0");
    json.put("truncation", null);
    json.put("padding", null);
    List<Object> added = new ArrayList<>();
    added.add(special(0, END));
    added.add(special(1, UNKNOWN));
    json.put("added_tokens", added);
    json.put("normalizer", null);
    json.put("pre_tokenizer", spaces);
    json.put("post_processor", null);
    json.put("decoder", spaces);
    json.put("model", model);
    try {
      Path folder = Files.createTempDirectory("peft4j");
      Path file = folder.resolve("tokenizer.json"); // it stays, to be copied when a model is saved
      folder.toFile().deleteOnExit();
      file.toFile().deleteOnExit();
      Files.writeString(file, Json.formatUnsorted(json));
      return Tokenizer.load(file);
    } catch (IOException e) {
      throw new UncheckedIOException("the tokenizer cannot be written: " + e.getMessage(), e);
    }
  }

  private static Map<String, @Nullable Object> special(long id, String content) {
    Map<String, @Nullable Object> token = new LinkedHashMap<>();
    token.put("id", id);
    token.put("content", content);
    for (String flag : List.of("single_word", "lstrip", "rstrip", "normalized")) {
      token.put(flag, false);
    }
    token.put("special", true);
    return token;
  }
}
