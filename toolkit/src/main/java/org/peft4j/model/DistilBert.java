package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.Embedding;
import org.peft4j.nn.Group;
import org.peft4j.nn.Heads;
import org.peft4j.nn.Layer;
import org.peft4j.nn.LayerNorm;
import org.peft4j.nn.Projection;
import org.peft4j.nn.Sequence;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Place;
import org.peft4j.spi.Sublayer;
import org.peft4j.tensor.ActivationFunction;

/**
 * DistilBERT (Sanh et al., arXiv 1910.01108) as {@code transformers} computes it: BERT without
 * segments and without a pooling layer.
 */
final class DistilBert extends Body {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "distilbert",
              "distilbert",
              List.of("input_ids", "attention_mask"),
              List.of("q", "v"),
              (config, pooled) -> new DistilBert(config))
          .dropouts("dropout", "attention_dropout")
          .classifiedBy(Classifier::new)
          .headed(
              Task.TOKEN_CLASSIFICATION,
              (config, hidden, labels) -> TokenHead.labels(hidden, labels, dropout(config)))
          .headed(
              Task.QUESTION_ANSWERING,
              (config, hidden, labels) ->
                  TokenHead.answers(hidden, config.probability("qa_dropout", 0.1)));

  private static final double EPSILON = 1e-12;

  private final int hidden;
  private final double dropout;
  private final Embedding words;
  private final Embedding positions;
  private final LayerNorm norm;
  private final List<EncoderLayer> layers = new ArrayList<>();

  DistilBert(Config config) {
    hidden = hidden(config);
    dropout = dropout(config);
    Group embeddings = addChildBlock("embeddings", new Group());
    words =
        embeddings.child(
            "word_embeddings", new Embedding(config.size("vocab_size"), hidden, "embed"));
    positions =
        embeddings.child(
            "position_embeddings",
            new Embedding(config.size("max_position_embeddings"), hidden, null));
    norm = embeddings.child("LayerNorm", new LayerNorm(hidden, EPSILON));
    Group stack = addChildBlock("transformer", new Group()).group("layer");
    for (int i = 0; i < config.size("n_layers", "num_hidden_layers"); i++) {
      layers.add(stack.child(String.valueOf(i), new EncoderLayer(config, i)));
    }
  }

  private static int hidden(Config config) {
    return config.size("dim", "hidden_size");
  }

  private static double dropout(Config config) {
    return config.probability("dropout", 0.1);
  }

  @Override
  public NDArray encode(Pass pass, Inputs in) {
    Sequence sequence = in.sequence(pass);
    sequence.limit(positions.frozen().shape().get(0));
    NDArray x = pass.embeddings(sequence.context(), words.apply(pass, in.ids()));
    x = x.add(positions.apply(pass, sequence.positions()));
    x = pass.dropout("embeddings", dropout, norm.apply(pass, x));
    x = pass.entering(sequence.context(), x);
    NDArray bias = sequence.paddingBias();
    for (EncoderLayer layer : layers) {
      x = layer.apply(pass, sequence, x, bias);
    }
    return x;
  }

  @Override
  public int hiddenSize() {
    return hidden;
  }

  @Override
  public Frozen embeddings() {
    return words.frozen();
  }

  @Override
  public Anatomy anatomy() {
    List<String> paths = layers.stream().map(l -> l.at.path()).toList();
    return layers.get(0).heads.anatomy(hidden, words.frozen(), paths);
  }

  private static final class EncoderLayer extends Layer {
    private final Place at;
    private final Heads heads;
    private final double dropout;
    private final Projection query;
    private final Projection key;
    private final Projection value;
    private final Projection attended;
    private final LayerNorm attentionNorm;
    private final Projection up;
    private final Projection down;
    private final LayerNorm outputNorm;
    private final ActivationFunction activation;

    EncoderLayer(Config config, int index) {
      at = new Place("transformer.layer." + index, index, Place.Part.LAYER);
      int hidden = hidden(config);
      int n = config.size("n_heads", "num_attention_heads");
      config.requireMultiple("dim", hidden, "n_heads", n);
      int inner = config.sizeOr(4 * hidden, "hidden_dim");
      dropout = dropout(config);
      heads =
          new Heads(
              at.at(Place.Part.SELF_ATTENTION),
              n,
              n,
              hidden / n,
              config.probability("attention_dropout", 0.1));
      activation = ActivationFunction.of(config.text("activation", "gelu"), config.source());
      Group attention = addChildBlock("attention", new Group());
      query = attention.child("q_lin", new Projection(hidden, hidden, true, "q"));
      key = attention.child("k_lin", new Projection(hidden, hidden, true, "k"));
      value = attention.child("v_lin", new Projection(hidden, hidden, true, "v"));
      attended = attention.child("out_lin", new Projection(hidden, hidden, true, "o"));
      attentionNorm = addChildBlock("sa_layer_norm", new LayerNorm(hidden, EPSILON));
      Group feed = addChildBlock("ffn", new Group());
      up = feed.child("lin1", new Projection(hidden, inner, true, "fc1"));
      down = feed.child("lin2", new Projection(inner, hidden, true, "fc2"));
      outputNorm = addChildBlock("output_layer_norm", new LayerNorm(hidden, EPSILON));
    }

    /** x {@code [B, T, hidden]}, bias {@code [B, 1, 1, keys]} or null. */
    NDArray apply(Pass pass, Sequence sequence, NDArray x, @Nullable NDArray bias) {
      NDArray q = query.apply(pass, x);
      NDArray k = key.apply(pass, x);
      NDArray joined = heads.attend(pass, sequence, q, k, value.apply(pass, x), bias);
      NDArray y =
          pass.sublayer(
              sequence.context(),
              at.at(Place.Part.SELF_ATTENTION),
              new Sublayer(attended.apply(pass, joined), x, h -> attentionNorm.apply(pass, h)));
      NDArray f = down.apply(pass, activation.apply(up.apply(pass, y)));
      NDArray z =
          pass.sublayer(
              sequence.context(),
              at.at(Place.Part.FEED_FORWARD),
              new Sublayer(
                  pass.dropout(at.path() + ".ffn", dropout, f), y, h -> outputNorm.apply(pass, h)));
      return pass.layer(sequence.context(), at, z);
    }

    @Override
    protected NDList compute(Pass pass, NDList in) {
      throw new UnsupportedOperationException("a layer computes as part of its model");
    }
  }

  /** A dense layer with ReLU and a linear layer on the first token. */
  private static final class Classifier extends Head {
    private final double dropout;
    private final Projection dense;
    private final Projection out;

    Classifier(Config config, int hidden, int labels) {
      dropout = config.probability("seq_classif_dropout", 0.2);
      dense = addChildBlock("pre_classifier", new Projection(hidden, hidden, true, null));
      out = addChildBlock("classifier", new Projection(hidden, labels, true, "head"));
    }

    @Override
    public NDArray apply(Pass pass, Body body, Inputs in, NDArray hidden) {
      NDArray inner = ActivationFunction.RELU.apply(dense.apply(pass, hidden.get(":, 0")));
      return out.apply(pass, pass.dropout("classifier", dropout, inner));
    }

    @Override
    public Task task() {
      return Task.SEQUENCE_CLASSIFICATION;
    }
  }
}
