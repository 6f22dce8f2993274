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
 * OPT (arXiv 2205.01068) as {@code transformers} computes it: embeddings of token and position,
 * then layers of causal attention and a feed-forward part, each behind a normalisation, or, in
 * OPT-350m, before one ({@code do_layer_norm_before}). Positions count a text's own tokens and
 * begin at row 2 of their table. Tokens may be narrower than the hidden states ({@code
 * word_embed_proj_dim}).
 */
final class Opt extends Body {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "opt",
              "model",
              Llama.INPUTS,
              Llama.USUAL_TARGETS,
              (config, pooled) -> new Opt(config))
          .dropouts("dropout", "attention_dropout")
          .tied()
          .classifiedBy(LastTokenHead::new);

  /** Where the first position lies in its table. */
  private static final int OFFSET = 2;

  private static final double EPSILON = 1e-5;

  private final int hidden;
  private final int width;
  private final int longest;
  private final Embedding words;
  private final Embedding positions;
  private final @Nullable Projection projectedIn;
  private final @Nullable Projection projectedOut;
  private final List<DecoderLayer> layers = new ArrayList<>();
  private final @Nullable LayerNorm norm;

  private Opt(Config config) {
    if (!config.flag("layer_norm_elementwise_affine", true)) {
      throw new IllegalArgumentException(
          config.source() + ": layer_norm_elementwise_affine\nexpected: true\nfound: false");
    }
    hidden = config.size("hidden_size");
    width = config.sizeOr(hidden, "word_embed_proj_dim");
    longest = config.sizeOr(2048, "max_position_embeddings");
    Group decoder = addChildBlock("decoder", new Group());
    words = decoder.child("embed_tokens", new Embedding(config.size("vocab_size"), width, "embed"));
    positions = decoder.child("embed_positions", new Embedding(longest + OFFSET, hidden, null));
    boolean same = width == hidden;
    projectedOut =
        same ? null : decoder.child("project_out", new Projection(hidden, width, false, null));
    projectedIn =
        same ? null : decoder.child("project_in", new Projection(width, hidden, false, null));
    boolean last =
        config.flag("do_layer_norm_before", true)
            && !config.flag("_remove_final_layer_norm", false);
    norm = last ? decoder.child("final_layer_norm", new LayerNorm(hidden, EPSILON)) : null;
    Group stack = decoder.child("layers", new Group());
    for (int i = 0; i < config.size("num_hidden_layers"); i++) {
      layers.add(stack.child(String.valueOf(i), new DecoderLayer(config, hidden, i)));
    }
  }

  @Override
  public NDArray encode(Pass pass, Inputs in) {
    Sequence sequence = in.sequence(pass);
    sequence.limit(longest);
    NDArray x = pass.embeddings(sequence.context(), words.apply(pass, in.ids()));
    x = projectedIn == null ? x : projectedIn.apply(pass, x);
    x = x.add(positions.apply(pass, sequence.ownPositions().add(OFFSET)));
    x = pass.entering(sequence.context(), x);
    NDArray bias = sequence.causalBias();
    for (DecoderLayer layer : layers) {
      x = layer.apply(pass, sequence, x, bias);
    }
    x = norm == null ? x : norm.apply(pass, x);
    return projectedOut == null ? x : projectedOut.apply(pass, x);
  }

  @Override
  public int hiddenSize() {
    return width;
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

  private static final class DecoderLayer extends Layer {
    private final Place at;
    private final Heads heads;
    private final boolean before;
    private final double dropout;
    private final LayerNorm attentionNorm;
    private final Projection query;
    private final Projection key;
    private final Projection value;
    private final Projection attended;
    private final LayerNorm outputNorm;
    private final Projection up;
    private final Projection down;
    private final ActivationFunction activation;

    DecoderLayer(Config config, int hidden, int index) {
      at = new Place("decoder.layers." + index, index, Place.Part.LAYER);
      int n = config.size("num_attention_heads");
      config.requireMultiple("hidden_size", hidden, "num_attention_heads", n);
      int inner = config.size("ffn_dim");
      before = config.flag("do_layer_norm_before", true);
      dropout = config.probability("dropout", 0.1);
      heads =
          new Heads(
              at.at(Place.Part.SELF_ATTENTION),
              n,
              n,
              hidden / n,
              config.probability("attention_dropout", 0));
      activation =
          ActivationFunction.of(config.text("activation_function", "relu"), config.source());
      boolean bias = config.flag("enable_bias", true);
      Group attention = addChildBlock("self_attn", new Group());
      key = attention.child("k_proj", new Projection(hidden, hidden, bias, "k"));
      value = attention.child("v_proj", new Projection(hidden, hidden, bias, "v"));
      query = attention.child("q_proj", new Projection(hidden, hidden, bias, "q"));
      attended = attention.child("out_proj", new Projection(hidden, hidden, bias, "o"));
      attentionNorm = addChildBlock("self_attn_layer_norm", new LayerNorm(hidden, EPSILON));
      up = addChildBlock("fc1", new Projection(hidden, inner, bias, "fc1"));
      down = addChildBlock("fc2", new Projection(inner, hidden, bias, "fc2"));
      outputNorm = addChildBlock("final_layer_norm", new LayerNorm(hidden, EPSILON));
    }

    /** x {@code [B, T, hidden]}, bias {@code [B, 1, T, keys]} or null. */
    NDArray apply(Pass pass, Sequence sequence, NDArray x, @Nullable NDArray bias) {
      NDArray h = before ? attentionNorm.apply(pass, x) : x;
      NDArray joined =
          heads.attend(
              pass, sequence, query.apply(pass, h), key.apply(pass, h), value.apply(pass, h), bias);
      NDArray a = attended.apply(pass, joined);
      NDArray y =
          pass.sublayer(
              sequence.context(),
              at.at(Place.Part.SELF_ATTENTION),
              new Sublayer(pass.dropout(at.path() + ".attn", dropout, a), x));
      y = before ? y : attentionNorm.apply(pass, y);
      NDArray g = before ? outputNorm.apply(pass, y) : y;
      NDArray f = down.apply(pass, activation.apply(up.apply(pass, g)));
      NDArray z =
          pass.sublayer(
              sequence.context(),
              at.at(Place.Part.FEED_FORWARD),
              new Sublayer(pass.dropout(at.path() + ".mlp", dropout, f), y));
      return pass.layer(sequence.context(), at, before ? z : outputNorm.apply(pass, z));
    }

    @Override
    protected NDList compute(Pass pass, NDList in) {
      throw new UnsupportedOperationException("a layer computes as part of its model");
    }
  }
}
