package org.peft4j.model;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The published sizes of well-known models, for counting without their weights. */
final class Presets {
  private static final Map<String, Map<String, @Nullable Object>> ALL = new LinkedHashMap<>();

  static {
    decoder("llama-7b", "llama", 32000, 4096, 11008, 32, 32, 32);
    decoder("llama3-8b", "llama", 128256, 4096, 14336, 32, 32, 8);
    decoder("mistral-7b", "mistral", 32000, 4096, 14336, 32, 32, 8);
    decoder("smollm2-135m", "llama", 49152, 576, 1536, 30, 9, 3).put("tie_word_embeddings", true);
    decoder("qwen2.5-0.5b", "qwen2", 151936, 896, 4864, 24, 14, 2).put("tie_word_embeddings", true);
    Map<String, @Nullable Object> qwen3 =
        decoder("qwen3-0.6b", "qwen3", 151936, 1024, 3072, 28, 16, 8);
    qwen3.put("tie_word_embeddings", true);
    qwen3.put("head_dim", 128L);
    gpt("gpt2", "gpt2", 768, 12, 12, 1024);
    gpt("gpt3-175b", "gpt3", 12288, 96, 96, 2048);
    encoder("bert-base", "bert", "BertModel", 30522, 768, 12, 512, 2);
    encoder("roberta-large", "roberta", "RobertaModel", 50265, 1024, 24, 514, 1);
    Map<String, @Nullable Object> vit = new LinkedHashMap<>();
    vit.put("architectures", List.of("ViTForImageClassification"));
    vit.put("model_type", "vit");
    vit.put("hidden_size", 768L);
    vit.put("intermediate_size", 3072L);
    vit.put("num_hidden_layers", 12L);
    vit.put("num_attention_heads", 12L);
    vit.put("num_labels", 1000L);
    ALL.put("vit-base", vit);
    seq2seq("mt0-large", "mt5", 250112, 1024, 2816, 24, 16);
    seq2seq("t5-xxl", "t5", 32128, 4096, 10240, 24, 64); // v1.1
  }

  private Presets() {}

  private static Map<String, @Nullable Object> decoder(
      String name,
      String type,
      long vocabulary,
      long hidden,
      long inner,
      long layers,
      long heads,
      long groups) {
    Map<String, @Nullable Object> c = new LinkedHashMap<>();
    c.put("architectures", List.of("ForCausalLM"));
    c.put("model_type", type);
    c.put("vocab_size", vocabulary);
    c.put("hidden_size", hidden);
    c.put("intermediate_size", inner);
    c.put("num_hidden_layers", layers);
    c.put("num_attention_heads", heads);
    c.put("num_key_value_heads", groups);
    ALL.put(name, c);
    return c;
  }

  private static void gpt(
      String name, String type, long hidden, long layers, long heads, long positions) {
    Map<String, @Nullable Object> c = new LinkedHashMap<>();
    c.put("architectures", List.of("LMHeadModel"));
    c.put("model_type", type);
    c.put("vocab_size", 50257L);
    c.put("n_embd", hidden);
    c.put("n_layer", layers);
    c.put("n_head", heads);
    c.put("n_positions", positions);
    ALL.put(name, c);
  }

  private static void encoder(
      String name,
      String type,
      String architecture,
      long vocabulary,
      long hidden,
      long layers,
      long positions,
      long segments) {
    Map<String, @Nullable Object> c = new LinkedHashMap<>();
    c.put("architectures", List.of(architecture));
    c.put("model_type", type);
    c.put("vocab_size", vocabulary);
    c.put("hidden_size", hidden);
    c.put("intermediate_size", 4 * hidden);
    c.put("num_hidden_layers", layers);
    c.put("num_attention_heads", hidden / 64);
    c.put("max_position_embeddings", positions);
    c.put("type_vocab_size", segments);
    ALL.put(name, c);
  }

  /** An encoder-decoder of T5's second generation: gated, with a head of its own. */
  private static void seq2seq(
      String name, String type, long vocabulary, long hidden, long inner, long layers, long heads) {
    Map<String, @Nullable Object> c = new LinkedHashMap<>();
    c.put("architectures", List.of("ForConditionalGeneration"));
    c.put("model_type", type);
    c.put("vocab_size", vocabulary);
    c.put("d_model", hidden);
    c.put("d_kv", 64L);
    c.put("d_ff", inner);
    c.put("num_layers", layers);
    c.put("num_heads", heads);
    c.put("feed_forward_proj", "gated-gelu");
    c.put("tie_word_embeddings", false);
    ALL.put(name, c);
  }

  static List<String> names() {
    return List.copyOf(ALL.keySet());
  }

  /** The configuration of a preset, or null. */
  static @Nullable Config config(String name) {
    Map<String, @Nullable Object> values = ALL.get(name);
    return values == null ? null : new Config(name, values);
  }
}
