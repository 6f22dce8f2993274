package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
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
 * GPT-2 (Radford et al., 2019) as {@code transformers} computes it: embeddings of token and
 * position, then layers of causal attention and a feed-forward part, each behind a normalisation.
 * q, k and v come from one projection, {@code c_attn}. Files hold the weights of the layers as
 * {@code [in, out]}; here they are {@code [out, in]} as all others, and so are the tensors of
 * adapters.
 */
final class Gpt2 extends Body {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "gpt2",
              "transformer",
              Llama.INPUTS,
              List.of("c_attn"),
              (config, pooled) -> new Gpt2(config, true))
          .dropouts("resid_pdrop", "embd_pdrop", "attn_pdrop")
          .tied()
          .transposed("c_attn", "c_proj", "c_fc")
          .classifiedBy(LastTokenHead::new);

  private final int hidden;
  private final double dropout;
  private final Embedding words;
  private final Embedding positions;
  private final List<DecoderLayer> layers = new ArrayList<>();
  private final LayerNorm norm;

  /**
   * A body.
   *
   * @param fused whether q, k and v are one projection
   */
  Gpt2(Config config, boolean fused) {
    if (config.flag("add_cross_attention", false)) {
      throw new IllegalArgumentException(
          config.source() + ": add_cross_attention\nexpected: false\nfound: true");
    }
    hidden = config.size("n_embd", "hidden_size");
    dropout = config.probability("embd_pdrop", 0.1);
    words = addChildBlock("wte", new Embedding(config.size("vocab_size"), hidden, "embed"));
    int limit = config.size("n_positions", "n_ctx", "max_position_embeddings");
    positions = addChildBlock("wpe", new Embedding(limit, hidden, null));
    Group stack = addChildBlock("h", new Group());
    for (int i = 0; i < config.size("n_layer", "num_hidden_layers"); i++) {
      layers.add(stack.child(String.valueOf(i), new DecoderLayer(config, hidden, fused, i)));
    }
    norm = addChildBlock("ln_f", new LayerNorm(hidden, epsilon(config)));
  }

  private static double epsilon(Config config) {
    return config.number("layer_norm_epsilon", 1e-5);
  }

  @Override
  public NDArray encode(Pass pass, Inputs in) {
    Sequence sequence = in.sequence(pass);
    sequence.limit(positions.frozen().shape().get(0));
    NDArray x = pass.embeddings(sequence.context(), words.apply(pass, in.ids()));
    x = x.add(positions.apply(pass, sequence.positions()));
    x = pass.dropout("embeddings", dropout, x);
    x = pass.entering(sequence.context(), x);
    NDArray bias = sequence.causalBias();
    for (DecoderLayer layer : layers) {
      x = layer.apply(pass, sequence, x, bias);
    }
    return norm.apply(pass, x);
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

  private static final class DecoderLayer extends Layer {
    private final Place at;
    private final Heads heads;
    private final double dropout;
    private final LayerNorm attentionNorm;
    private final List<Projection> inputs;
    private final Projection attended;
    private final LayerNorm outputNorm;
    private final Projection up;
    private final Projection down;
    private final ActivationFunction activation;

    DecoderLayer(Config config, int hidden, boolean fused, int index) {
      at = new Place("h." + index, index, Place.Part.LAYER);
      int n = config.size("n_head", "num_attention_heads");
      config.requireMultiple("n_embd", hidden, "n_head", n);
      int inner = config.sizeOr(4 * hidden, "n_inner");
      dropout = config.probability("resid_pdrop", 0.1);
      heads =
          new Heads(
              at.at(Place.Part.SELF_ATTENTION),
              n,
              n,
              hidden / n,
              config.probability("attn_pdrop", 0.1),
              scale(config, hidden / n, index));
      activation =
          ActivationFunction.of(config.text("activation_function", "gelu_new"), config.source());
      attentionNorm = addChildBlock("ln_1", new LayerNorm(hidden, epsilon(config)));
      Group attention = addChildBlock("attn", new Group());
      inputs =
          fused
              ? List.of(attention.child("c_attn", new Projection(hidden, 3L * hidden, true, null)))
              : Stream.of("q", "k", "v")
                  .map(r -> attention.child(r + "_proj", new Projection(hidden, hidden, true, r)))
                  .toList();
      attended = attention.child("c_proj", new Projection(hidden, hidden, true, "o"));
      outputNorm = addChildBlock("ln_2", new LayerNorm(hidden, epsilon(config)));
      Group feed = addChildBlock("mlp", new Group());
      up = feed.child("c_fc", new Projection(hidden, inner, true, "fc1"));
      down = feed.child("c_proj", new Projection(inner, hidden, true, "fc2"));
    }

    private static double scale(Config config, int size, int index) {
      double scale = config.flag("scale_attn_weights", true) ? 1 / Math.sqrt(size) : 1;
      return config.flag("scale_attn_by_inverse_layer_idx", false) ? scale / (index + 1) : scale;
    }

    /** x {@code [B, T, hidden]}, bias {@code [B, 1, T, keys]} or null. */
    NDArray apply(Pass pass, Sequence sequence, NDArray x, @Nullable NDArray bias) {
      NDArray h = attentionNorm.apply(pass, x);
      NDList qkv = new NDList();
      inputs.forEach(p -> qkv.add(p.apply(pass, h)));
      NDList each = qkv.size() == 1 ? qkv.head().split(3, 2) : qkv;
      NDArray joined = heads.attend(pass, sequence, each.get(0), each.get(1), each.get(2), bias);
      NDArray a = attended.apply(pass, joined);
      NDArray y =
          pass.sublayer(
              sequence.context(),
              at.at(Place.Part.SELF_ATTENTION),
              new Sublayer(pass.dropout(at.path() + ".attn", dropout, a), x));
      NDArray g = outputNorm.apply(pass, y);
      NDArray f = down.apply(pass, activation.apply(up.apply(pass, g)));
      NDArray z =
          pass.sublayer(
              sequence.context(),
              at.at(Place.Part.FEED_FORWARD),
              new Sublayer(pass.dropout(at.path() + ".mlp", dropout, f), y));
      return pass.layer(sequence.context(), at, z);
    }

    @Override
    protected NDList compute(Pass pass, NDList in) {
      throw new UnsupportedOperationException("a layer computes as part of its model");
    }
  }
}
