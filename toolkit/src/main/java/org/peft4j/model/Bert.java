package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
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
 * BERT (Devlin et al., arXiv 1810.04805) as {@code transformers} computes it: embeddings of token,
 * position and segment, then layers of self-attention and a feed-forward part, each followed by
 * residual and normalisation.
 */
final class Bert extends Body {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "bert",
              "bert",
              List.of("input_ids", "attention_mask", "token_type_ids"),
              List.of("q", "v"),
              (config, pooled) -> new Bert(config, pooled, -1),
              "LayerNorm.gamma=LayerNorm.weight",
              "LayerNorm.beta=LayerNorm.bias")
          .dropouts("hidden_dropout_prob", "attention_probs_dropout_prob");

  private final int hidden;
  private final double dropout;
  private final Embedding words;
  private final Embedding positions;
  private final Embedding segments;
  private final LayerNorm norm;
  private final List<EncoderLayer> layers = new ArrayList<>();
  private final @Nullable Projection pooler;

  private final int countedFrom;

  /**
   * A body.
   *
   * @param countedFrom id of padding, behind which positions count the other tokens, as RoBERTa
   *     does; -1 where positions count from 0
   */
  Bert(Config config, boolean pooled, int countedFrom) {
    this.countedFrom = countedFrom;
    hidden = config.size("hidden_size");
    dropout = config.probability("hidden_dropout_prob", 0.1);
    double epsilon = config.number("layer_norm_eps", 1e-12);
    Group embeddings = addChildBlock("embeddings", new Group());
    words =
        embeddings.child(
            "word_embeddings", new Embedding(config.size("vocab_size"), hidden, "embed"));
    positions =
        embeddings.child(
            "position_embeddings",
            new Embedding(config.size("max_position_embeddings"), hidden, null));
    segments =
        embeddings.child(
            "token_type_embeddings",
            new Embedding(config.sizeOr(2, "type_vocab_size"), hidden, null));
    norm = embeddings.child("LayerNorm", new LayerNorm(hidden, epsilon));
    Group stack = addChildBlock("encoder", new Group()).group("layer");
    for (int i = 0; i < config.size("num_hidden_layers"); i++) {
      layers.add(stack.child(String.valueOf(i), new EncoderLayer(config, i)));
    }
    pooler =
        pooled
            ? addChildBlock("pooler", new Group())
                .child("dense", new Projection(hidden, hidden, true, null))
            : null;
  }

  @Override
  public NDArray encode(Pass pass, Inputs in) {
    Sequence sequence = in.sequence(pass);
    sequence.limit(positions.frozen().shape().get(0));
    NDArray x = pass.embeddings(sequence.context(), words.apply(pass, in.ids()));
    x =
        x.add(segments.apply(pass, types(in, pass)))
            .add(positions.apply(pass, at(in, sequence, pass)));
    x = pass.dropout("embeddings", dropout, norm.apply(pass, x));
    x = pass.entering(sequence.context(), x);
    NDArray bias = sequence.paddingBias();
    for (EncoderLayer layer : layers) {
      x = layer.apply(pass, sequence, x, bias);
    }
    return x;
  }

  private NDArray at(Inputs in, Sequence sequence, Pass pass) {
    if (countedFrom < 0 || in.get("position_ids") != null) {
      return sequence.positions();
    }
    if (pass.promptTokens() + pass.prefixTokens() > 0) {
      return sequence.positions().add(countedFrom + 1); // virtual tokens have no ids to look at
    }
    NDArray token = in.ids().neq(countedFrom).toType(DataType.INT64, false);
    return token.cumSum(1).mul(token).add(countedFrom);
  }

  /** Segment of every row; virtual tokens are in the first. */
  static NDArray types(Inputs in, Pass pass) {
    NDArray given = in.get("token_type_ids");
    NDArray types = given == null ? in.ids().zerosLike() : given;
    if (pass.promptTokens() == 0) {
      return types;
    }
    Shape front = new Shape(types.getShape().get(0), pass.promptTokens());
    return types.getManager().zeros(front, DataType.INT64).concat(types, 1);
  }

  @Override
  public Anatomy anatomy() {
    List<String> paths = layers.stream().map(l -> l.at.path()).toList();
    return layers.get(0).attention.anatomy(hidden, words.frozen(), paths);
  }

  @Override
  public @Nullable NDArray pool(Pass pass, NDArray states) {
    return pooler == null ? null : pooler.apply(pass, states.get(":, 0")).tanh();
  }

  @Override
  public int hiddenSize() {
    return hidden;
  }

  @Override
  public Frozen embeddings() {
    return words.frozen();
  }

  private static final class EncoderLayer extends Layer {
    private final Place at;
    private final Heads attention;
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
      at = new Place("encoder.layer." + index, index, Place.Part.LAYER);
      int hidden = config.size("hidden_size");
      int heads = config.size("num_attention_heads");
      config.requireMultiple("hidden_size", hidden, "num_attention_heads", heads);
      int inner = config.size("intermediate_size");
      dropout = config.probability("hidden_dropout_prob", 0.1);
      attention =
          new Heads(
              at.at(Place.Part.SELF_ATTENTION),
              heads,
              heads,
              hidden / heads,
              config.probability("attention_probs_dropout_prob", 0.1));
      activation = ActivationFunction.of(config.text("hidden_act", "gelu"), config.source());
      double epsilon = config.number("layer_norm_eps", 1e-12);
      Group parts = addChildBlock("attention", new Group());
      Group self = parts.group("self");
      query = self.child("query", new Projection(hidden, hidden, true, "q"));
      key = self.child("key", new Projection(hidden, hidden, true, "k"));
      value = self.child("value", new Projection(hidden, hidden, true, "v"));
      Group after = parts.group("output");
      attended = after.child("dense", new Projection(hidden, hidden, true, "o"));
      attentionNorm = after.child("LayerNorm", new LayerNorm(hidden, epsilon));
      up =
          addChildBlock("intermediate", new Group())
              .child("dense", new Projection(hidden, inner, true, "fc1"));
      Group output = addChildBlock("output", new Group());
      down = output.child("dense", new Projection(inner, hidden, true, "fc2"));
      outputNorm = output.child("LayerNorm", new LayerNorm(hidden, epsilon));
    }

    /** x {@code [B, T, hidden]}, bias broadcastable to {@code [B, heads, T, keys]}, or null. */
    NDArray apply(Pass pass, Sequence sequence, NDArray x, @Nullable NDArray bias) {
      NDArray q = query.apply(pass, x);
      NDArray k = key.apply(pass, x);
      NDArray joined = attention.attend(pass, sequence, q, k, value.apply(pass, x), bias);
      NDArray a = attended.apply(pass, joined);
      NDArray y =
          pass.sublayer(
              sequence.context(),
              at.at(Place.Part.SELF_ATTENTION),
              new Sublayer(
                  pass.dropout(at.path() + ".attention.output", dropout, a),
                  x,
                  h -> attentionNorm.apply(pass, h)));
      NDArray f = down.apply(pass, activation.apply(up.apply(pass, y)));
      NDArray z =
          pass.sublayer(
              sequence.context(),
              at.at(Place.Part.FEED_FORWARD),
              new Sublayer(
                  pass.dropout(at.path() + ".output", dropout, f),
                  y,
                  h -> outputNorm.apply(pass, h)));
      return pass.layer(sequence.context(), at, z);
    }

    @Override
    protected NDList compute(Pass pass, NDList in) {
      throw new UnsupportedOperationException("a layer computes as part of its model");
    }
  }
}
