package org.peft4j.model;

import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.GgufFile;
import org.peft4j.format.GgufMetadata;

/** A {@code config.json} from the metadata of a GGUF file and the shapes of its tensors. */
final class GgufConfig {
  private final GgufFile file;
  private final GgufMetadata metadata;
  private final GgufLayout layout;
  private final Map<String, @Nullable Object> out = new LinkedHashMap<>();

  private GgufConfig(GgufFile file, GgufLayout layout) {
    this.file = file;
    this.metadata = file.metadata();
    this.layout = layout;
  }

  /**
   * Reads the configuration.
   *
   * @param ropeFactors the tensor of that name, or null
   */
  static Config read(GgufFile file, GgufLayout layout, float @Nullable [] ropeFactors) {
    GgufConfig c = new GgufConfig(file, layout);
    c.out.put("architectures", List.of(layout.headClass()));
    c.out.put("model_type", layout.architecture());
    if (layout == GgufLayout.GPT2) {
      c.gpt2();
    } else {
      c.decoder(ropeFactors);
    }
    c.out.put("tie_word_embeddings", !file.names().contains("output.weight"));
    c.out.put("vocab_size", c.rows("token_embd.weight"));
    c.id("bos_token_id", "tokenizer.ggml.bos_token_id");
    c.id("eos_token_id", "tokenizer.ggml.eos_token_id");
    c.id("pad_token_id", "tokenizer.ggml.padding_token_id");
    return new Config(file.origin().toString(), c.out);
  }

  private String key(String end) {
    return layout.architecture() + "." + end;
  }

  private long size(String end) {
    Long n = metadata.uniform(key(end));
    if (n == null || n < 1 || n > Integer.MAX_VALUE) {
      throw metadata.wrong(key(end), "a positive integer");
    }
    return n;
  }

  private long sizeOr(long otherwise, String end) {
    return metadata.has(key(end)) ? size(end) : otherwise;
  }

  private double number(String end) {
    Double x = metadata.number(key(end));
    if (x == null) {
      throw metadata.wrong(key(end), "a number");
    }
    return x;
  }

  private long rows(String tensor) {
    Shape shape = file.info(tensor).shape();
    if (shape.dimension() != 2) {
      throw new IllegalArgumentException(
          file.origin() + ": " + tensor + "\nexpected: a matrix\nfound: " + shape);
    }
    return shape.get(0);
  }

  /** Number of layers, which the tensors must bear out: nothing is built for a mere number. */
  private long layers() {
    long n = size("block_count");
    if (!file.names().contains("blk." + (n - 1) + ".attn_norm.weight")) {
      throw metadata.wrong(key("block_count"), "the number of layers that the file holds");
    }
    return n;
  }

  private void id(String name, String key) {
    Long id = metadata.integer(key);
    if (id != null) {
      out.put(name, id);
    }
  }

  private void gpt2() {
    out.put("activation_function", "gelu_new");
    out.put("layer_norm_epsilon", number("attention.layer_norm_epsilon"));
    out.put("n_embd", size("embedding_length"));
    out.put("n_head", size("attention.head_count"));
    out.put("n_inner", size("feed_forward_length"));
    out.put("n_layer", layers());
    out.put("n_positions", size("context_length"));
  }

  private void decoder(float @Nullable [] ropeFactors) {
    Long experts = metadata.integer(key("expert_count"));
    if (experts != null && experts > 0) {
      throw metadata.wrong(key("expert_count"), "none: mixtures of experts are not supported");
    }
    long hidden = size("embedding_length");
    long heads = size("attention.head_count");
    long turned = sizeOr(hidden / heads, "rope.dimension_count");
    long headSize = sizeOr(turned, "attention.key_length");
    if (turned != headSize
        || headSize % 2 != 0
        || sizeOr(headSize, "attention.value_length") != headSize) {
      throw metadata.wrong(
          key("rope.dimension_count"),
          "the length of keys and values, an even number: all of a head is turned");
    }
    if (layout == GgufLayout.LLAMA) {
      out.put("attention_bias", file.names().contains("blk.0.attn_q.bias"));
      out.put("mlp_bias", file.names().contains("blk.0.ffn_gate.bias"));
    }
    if (layout != GgufLayout.QWEN2 || headSize != hidden / heads) {
      out.put("head_dim", headSize);
    }
    out.put("hidden_act", "silu");
    out.put("hidden_size", hidden);
    out.put("intermediate_size", size("feed_forward_length"));
    out.put("max_position_embeddings", size("context_length"));
    out.put("num_attention_heads", heads);
    out.put("num_hidden_layers", layers());
    out.put("num_key_value_heads", sizeOr(heads, "attention.head_count_kv"));
    out.put("rms_norm_eps", number("attention.layer_norm_rms_epsilon"));
    double base = metadata.has(key("rope.freq_base")) ? number("rope.freq_base") : 10000.0;
    out.put("rope_theta", base);
    Map<String, @Nullable Object> scaling = scaling(base, headSize, ropeFactors);
    if (scaling != null) {
      out.put("rope_scaling", scaling);
    }
  }

  private @Nullable Map<String, @Nullable Object> scaling(
      double base, long headSize, float @Nullable [] ropeFactors) {
    if (ropeFactors != null) {
      Map<String, @Nullable Object> found =
          ropeFactors.length == headSize / 2 ? RopeFactors.scaling(ropeFactors, base) : null;
      if (found == null) {
        throw new IllegalArgumentException(
            file.origin()
                + ": "
                + GgufLayout.ROPE_FACTORS
                + "\nexpected: the factors of Llama 3.1's scaling (low 1, high 4, length 8192)\nfound: others");
      }
      return Objects.equals(found.get("factor"), 1.0) ? null : found;
    }
    String type = Objects.requireNonNullElse(metadata.text(key("rope.scaling.type")), "none");
    if (type.equals("none")) {
      return null;
    }
    if (!type.equals("linear") && !type.equals("yarn")) {
      throw metadata.wrong(key("rope.scaling.type"), "one of [none, linear, yarn]");
    }
    Map<String, @Nullable Object> scaling = new LinkedHashMap<>();
    scaling.put("rope_type", type);
    scaling.put("factor", number("rope.scaling.factor"));
    if (type.equals("yarn") && metadata.has(key("rope.scaling.original_context_length"))) {
      scaling.put("original_max_position_embeddings", size("rope.scaling.original_context_length"));
    }
    return scaling;
  }
}
