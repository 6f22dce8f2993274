package org.peft4j.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.peft4j.Models;
import org.peft4j.model.Pretrained;

/** A Llama of SmolLM2-135M's shape with random weights, 538 MB in float32. */
final class SmallLanguageModel {
  static final int VOCABULARY = 49152;

  private SmallLanguageModel() {}

  /** Writes it as a Hugging Face folder. */
  static void write(Path folder) {
    try (Pretrained model =
        Models.untrained(
            Map.ofEntries(
                Map.entry("architectures", List.of("LlamaForCausalLM")),
                Map.entry("model_type", "llama"),
                Map.entry("vocab_size", VOCABULARY),
                Map.entry("hidden_size", 576),
                Map.entry("intermediate_size", 1536),
                Map.entry("num_hidden_layers", 30),
                Map.entry("num_attention_heads", 9),
                Map.entry("num_key_value_heads", 3),
                Map.entry("hidden_act", "silu"),
                Map.entry("rms_norm_eps", 1e-5),
                Map.entry("rope_theta", 100_000.0),
                Map.entry("max_position_embeddings", 8192),
                Map.entry("tie_word_embeddings", true)),
            1)) {
      model.save(folder);
    }
  }
}
