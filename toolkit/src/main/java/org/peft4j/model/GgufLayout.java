package org.peft4j.model;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One architecture in llama.cpp's words and in Hugging Face's: what its tensors are called. Tables
 * are pairs {@code ggml=hf} without layer numbers and without {@code .weight} or {@code .bias}.
 */
@SuppressWarnings("ImmutableEnumChecker") // tables that are filled once
enum GgufLayout {
  LLAMA("llama", "LlamaForCausalLM", Tables.TOP, "model.layers.", Tables.LAYER),
  QWEN2("qwen2", "Qwen2ForCausalLM", Tables.TOP, "model.layers.", Tables.LAYER),
  QWEN3("qwen3", "Qwen3ForCausalLM", Tables.TOP, "model.layers.", Tables.LAYER),
  GPT2("gpt2", "GPT2LMHeadModel", Tables.GPT2_TOP, "transformer.h.", Tables.GPT2_LAYER);

  /** What Llama 3.1 divides the frequencies of RoPE by; a setting rather than a weight. */
  static final String ROPE_FACTORS = "rope_freqs.weight";

  private static final String BLOCK = "blk.";

  private final String architecture;
  private final String headClass;
  private final String layers;
  private final Map<String, String> toHf = new LinkedHashMap<>();
  private final Map<String, String> toGguf = new LinkedHashMap<>();

  GgufLayout(
      String architecture, String headClass, List<String> top, String layers, List<String> layer) {
    this.architecture = architecture;
    this.headClass = headClass;
    this.layers = layers;
    for (String pair : top) {
      put(pair, "", "");
    }
    for (String pair : layer) {
      put(pair, BLOCK, layers);
    }
  }

  private void put(String pair, String ggmlPrefix, String hfPrefix) {
    String ggml = ggmlPrefix + pair.substring(0, pair.indexOf('='));
    String hf = hfPrefix + pair.substring(pair.indexOf('=') + 1);
    toHf.put(ggml, hf);
    toGguf.put(hf, ggml);
  }

  /** The layout of a file's {@code general.architecture}. */
  static GgufLayout named(String architecture, Object origin) {
    return find(architecture, architecture, origin, "general.architecture");
  }

  /** The layout to write a {@code model_type} in; Mistral is written as llama. */
  static GgufLayout ofModel(String modelType, Object origin) {
    return find(modelType.equals("mistral") ? "llama" : modelType, modelType, origin, "model_type");
  }

  private static GgufLayout find(String name, String given, Object origin, String key) {
    for (GgufLayout layout : values()) {
      if (layout.architecture.equals(name)) {
        return layout;
      }
    }
    throw new IllegalArgumentException(
        origin
            + ": "
            + key
            + "\nexpected: one of "
            + Arrays.stream(values()).map(GgufLayout::architecture).toList()
            + "\nfound: "
            + given
            + "\nfix: convert the model to a Hugging Face directory where it was made");
  }

  /** {@code general.architecture}, which is Hugging Face's {@code model_type} too. */
  String architecture() {
    return architecture;
  }

  String headClass() {
    return headClass;
  }

  /** Hugging Face's name of a tensor, or null when it has none. */
  @Nullable String hf(String ggml) {
    return translate(ggml, BLOCK, layers, toHf);
  }

  /** GGUF's name of a tensor, or null when it has none. */
  @Nullable String gguf(String hf) {
    return translate(hf, layers, BLOCK, toGguf);
  }

  private static @Nullable String translate(
      String name, String prefix, String newPrefix, Map<String, String> table) {
    int dot = name.lastIndexOf('.');
    if (dot < 0) {
      return null;
    }
    String stem = name.substring(0, dot);
    String end = name.substring(dot);
    String number = "";
    if (stem.startsWith(prefix)) {
      int after = stem.indexOf('.', prefix.length());
      if (after < 0) {
        return null;
      }
      number = stem.substring(prefix.length(), after + 1);
      stem = prefix + stem.substring(after + 1);
    }
    String found = table.get(stem);
    if (found == null) {
      return null;
    }
    return (number.isEmpty() ? found : newPrefix + number + found.substring(newPrefix.length()))
        + end;
  }

  /**
   * Heads whose rows llama.cpp stores in another order in this tensor, or 0. It turns neighbouring
   * rows by RoPE, Hugging Face row i and row i + n/2 of a head.
   */
  int permutedHeads(String hf, int heads, int groups) {
    return this != LLAMA
        ? 0
        : hf.contains(".self_attn.q_proj.")
            ? heads
            : hf.contains(".self_attn.k_proj.") ? groups : 0;
  }

  /** Whether Hugging Face stores this matrix as [in, out]: GPT-2's Conv1D does. */
  boolean transposed(String hf) {
    return this == GPT2 && hf.startsWith(layers) && hf.endsWith(".weight") && !hf.contains(".ln_");
  }

  private static final class Tables {
    static final List<String> TOP =
        List.of("token_embd=model.embed_tokens", "output_norm=model.norm", "output=lm_head");
    static final List<String> LAYER =
        List.of(
            "attn_norm=input_layernorm",
            "attn_q=self_attn.q_proj",
            "attn_k=self_attn.k_proj",
            "attn_v=self_attn.v_proj",
            "attn_output=self_attn.o_proj",
            "attn_q_norm=self_attn.q_norm",
            "attn_k_norm=self_attn.k_norm",
            "ffn_norm=post_attention_layernorm",
            "ffn_gate=mlp.gate_proj",
            "ffn_up=mlp.up_proj",
            "ffn_down=mlp.down_proj");
    static final List<String> GPT2_TOP =
        List.of(
            "token_embd=transformer.wte",
            "position_embd=transformer.wpe",
            "output_norm=transformer.ln_f",
            "output=lm_head");
    static final List<String> GPT2_LAYER =
        List.of(
            "attn_norm=ln_1",
            "attn_qkv=attn.c_attn",
            "attn_output=attn.c_proj",
            "ffn_norm=ln_2",
            "ffn_up=mlp.c_fc",
            "ffn_down=mlp.c_proj");
  }
}
