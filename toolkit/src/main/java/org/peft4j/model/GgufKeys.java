package org.peft4j.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.GgufValue;
import org.peft4j.text.GgmlVocabulary;

/** The metadata to write for a model: the way back of {@link GgufConfig}. */
final class GgufKeys {
  private static final int QUANTIZATION_VERSION = 2;

  private final Config config;
  private final String architecture;
  private final Map<String, GgufValue> out = new LinkedHashMap<>();

  private GgufKeys(Config config, GgufLayout layout) {
    this.config = config;
    this.architecture = layout.architecture();
  }

  static Map<String, GgufValue> of(String name, Config config, GgufLayout layout, Dtype dtype) {
    GgufKeys k = new GgufKeys(config, layout);
    k.out.put("general.architecture", GgufValue.text(layout.architecture()));
    k.out.put("general.type", GgufValue.text("model"));
    k.out.put("general.name", GgufValue.text(name));
    k.out.put("general.file_type", GgufValue.uint32(dtype.fileType()));
    k.out.put("general.quantization_version", GgufValue.uint32(QUANTIZATION_VERSION));
    k.size("vocab_size", "vocab_size");
    if (layout == GgufLayout.GPT2) {
      k.gpt2();
    } else {
      k.decoder();
    }
    return k.out;
  }

  private void put(String end, GgufValue value) {
    out.put(architecture + "." + end, value);
  }

  private void size(String end, String... keys) {
    put(end, GgufValue.uint32(config.size(keys)));
  }

  private void gpt2() {
    int hidden = config.size("n_embd", "hidden_size");
    size("block_count", "n_layer", "num_hidden_layers");
    size("context_length", "n_positions", "n_ctx", "max_position_embeddings");
    put("embedding_length", GgufValue.uint32(hidden));
    put("feed_forward_length", GgufValue.uint32(config.sizeOr(4 * hidden, "n_inner")));
    size("attention.head_count", "n_head", "num_attention_heads");
    put(
        "attention.layer_norm_epsilon",
        GgufValue.float32(config.number("layer_norm_epsilon", 1e-5)));
  }

  private void decoder() {
    int hidden = config.size("hidden_size");
    int heads = config.size("num_attention_heads");
    int headSize = config.sizeOr(hidden / heads, "head_dim");
    size("block_count", "num_hidden_layers");
    put("context_length", GgufValue.uint32(config.sizeOr(2048, "max_position_embeddings")));
    put("embedding_length", GgufValue.uint32(hidden));
    size("feed_forward_length", "intermediate_size");
    put("attention.head_count", GgufValue.uint32(heads));
    put("attention.head_count_kv", GgufValue.uint32(config.sizeOr(heads, "num_key_value_heads")));
    put("attention.key_length", GgufValue.uint32(headSize));
    put("attention.value_length", GgufValue.uint32(headSize));
    put("rope.dimension_count", GgufValue.uint32(headSize));
    put("attention.layer_norm_rms_epsilon", GgufValue.float32(config.number("rms_norm_eps", 1e-6)));
    put("rope.freq_base", GgufValue.float32(ropeBase(config)));
    Config scaling = ropeScaling(config);
    String type = scaling == null ? "default" : ropeType(scaling);
    if (scaling != null && (type.equals("linear") || type.equals("yarn"))) {
      put("rope.scaling.type", GgufValue.text(type));
      put("rope.scaling.factor", GgufValue.float32(scaling.number("factor", 1)));
      if (type.equals("yarn")) {
        put(
            "rope.scaling.original_context_length",
            GgufValue.uint32(
                scaling.sizeOr(
                    config.sizeOr(2048, "max_position_embeddings"),
                    "original_max_position_embeddings")));
      }
    } else if (!type.equals("default") && !type.equals("llama3")) {
      throw new IllegalArgumentException(
          config.source()
              + ": rope scaling\nexpected: one of [default, linear, yarn, llama3]\nfound: "
              + type);
    }
  }

  static double ropeBase(Config config) {
    Config rope = config.object("rope_parameters");
    return (rope == null ? config : rope).number("rope_theta", 10000);
  }

  /** Newer files say it in rope_parameters, older ones in rope_scaling; null when they do not. */
  static @Nullable Config ropeScaling(Config config) {
    Config rope = config.object("rope_parameters");
    return rope == null ? config.object("rope_scaling") : rope;
  }

  static String ropeType(Config scaling) {
    return scaling.text("rope_type", scaling.text("type", "default"));
  }

  /** The keys of a tokenizer. */
  static Map<String, GgufValue> of(GgmlVocabulary v, Config config) {
    Map<String, GgufValue> out = new LinkedHashMap<>();
    out.put(GgufTokenizer.KEY + "model", GgufValue.text(v.model()));
    out.put(GgufTokenizer.KEY + "pre", GgufValue.text(v.pre()));
    List<String> tokens = new ArrayList<>(v.tokens());
    List<GgmlVocabulary.Kind> kinds = new ArrayList<>(v.kinds());
    List<Float> scores = new ArrayList<>(v.scores());
    while (kinds.size() < tokens.size()) {
      kinds.add(GgmlVocabulary.Kind.NORMAL);
    }
    for (int i = tokens.size(); i < config.size("vocab_size"); i++) {
      tokens.add("[PAD" + i + "]"); // readers expect one token for each row of the embeddings
      kinds.add(GgmlVocabulary.Kind.UNUSED);
      if (!scores.isEmpty()) {
        scores.add(0f);
      }
    }
    out.put(GgufTokenizer.KEY + "tokens", GgufValue.texts(tokens));
    if (!scores.isEmpty()) {
      float[] values = new float[scores.size()];
      for (int i = 0; i < values.length; i++) {
        values[i] = scores.get(i);
      }
      out.put(GgufTokenizer.KEY + "scores", GgufValue.float32s(values));
    }
    out.put(
        GgufTokenizer.KEY + "token_type",
        GgufValue.int32s(kinds.stream().mapToInt(GgmlVocabulary.Kind::number).toArray()));
    if (!v.merges().isEmpty()) {
      out.put(GgufTokenizer.KEY + "merges", GgufValue.texts(v.merges()));
    }
    id(out, "bos_token_id", v.begin(), config.values().get("bos_token_id"));
    id(out, "eos_token_id", v.end(), config.values().get("eos_token_id"));
    id(out, "unknown_token_id", v.unknown(), null);
    id(out, "padding_token_id", v.padding(), config.values().get("pad_token_id"));
    flag(out, "add_bos_token", v.addBegin());
    flag(out, "add_eos_token", v.addEnd());
    flag(out, "add_space_prefix", v.addSpace());
    if (v.chatTemplate() != null) {
      out.put(GgufTokenizer.TEMPLATE, GgufValue.text(v.chatTemplate()));
    }
    return out;
  }

  private static void id(
      Map<String, GgufValue> out, String end, @Nullable Integer id, @Nullable Object otherwise) {
    if (id != null) {
      out.put(GgufTokenizer.KEY + end, GgufValue.uint32(id));
    } else if (otherwise instanceof Long n && n >= 0) {
      out.put(GgufTokenizer.KEY + end, GgufValue.uint32(n));
    }
  }

  private static void flag(Map<String, GgufValue> out, String end, @Nullable Boolean value) {
    if (value != null) {
      out.put(GgufTokenizer.KEY + end, GgufValue.flag(value));
    }
  }
}
