package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
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
import org.peft4j.nn.Rotary;
import org.peft4j.nn.Sequence;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Place;
import org.peft4j.spi.Sublayer;
import org.peft4j.tensor.ActivationFunction;

/**
 * GPT-NeoX (arXiv 2204.06745) and Pythia as {@code transformers} computes them: layers of causal
 * attention and a feed-forward part that read the same hidden states and are added to them
 * together, unless {@code use_parallel_residual} denies it. q, k and v come from one projection,
 * {@code query_key_value}, head by head; the first {@code rotary_pct} of a head's features turn.
 */
final class GptNeoX extends Body {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "gpt_neox",
              "gpt_neox",
              Llama.INPUTS,
              List.of("query_key_value"),
              (config, pooled) -> new GptNeoX(config))
          .filed("lm_head=embed_out")
          .dropouts("hidden_dropout", "attention_dropout")
          .classifiedBy(LastTokenHead::new);

  private final int hidden;
  private final double dropout;
  private final Embedding words;
  private final List<DecoderLayer> layers = new ArrayList<>();
  private final LayerNorm norm;
  private final RotaryScaling rotary;

  private GptNeoX(Config config) {
    hidden = config.size("hidden_size");
    int n = config.size("num_attention_heads");
    config.requireMultiple("hidden_size", hidden, "num_attention_heads", n);
    double theta = config.number("rope_theta", config.number("rotary_emb_base", 1e4));
    rotary =
        RotaryScaling.of(
            config.with("rope_theta", theta),
            RotaryScaling.turned(config, hidden / n, "rotary_pct", 0.25));
    dropout = config.probability("hidden_dropout", 0);
    words = addChildBlock("embed_in", new Embedding(config.size("vocab_size"), hidden, "embed"));
    Group stack = addChildBlock("layers", new Group());
    for (int i = 0; i < config.size("num_hidden_layers"); i++) {
      layers.add(stack.child(String.valueOf(i), new DecoderLayer(config, hidden, i)));
    }
    norm = addChildBlock("final_layer_norm", new LayerNorm(hidden, epsilon(config)));
  }

  private static double epsilon(Config config) {
    return config.number("layer_norm_eps", 1e-5);
  }

  @Override
  public NDArray encode(Pass pass, Inputs in) {
    Sequence sequence = in.sequence(pass);
    NDArray x = pass.embeddings(sequence.context(), words.apply(pass, in.ids()));
    x = pass.dropout("embeddings", dropout, x);
    x = pass.entering(sequence.context(), x);
    Rotary turns = rotary.of(sequence);
    NDArray bias = sequence.causalBias();
    for (DecoderLayer layer : layers) {
      x = layer.apply(pass, sequence, x, bias, turns);
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
    private final boolean parallel;
    private final double dropout;
    private final LayerNorm attentionNorm;
    private final Projection inputs;
    private final Projection attended;
    private final LayerNorm outputNorm;
    private final Projection up;
    private final Projection down;
    private final ActivationFunction activation;

    DecoderLayer(Config config, int hidden, int index) {
      at = new Place("layers." + index, index, Place.Part.LAYER);
      int n = config.size("num_attention_heads");
      int inner = config.size("intermediate_size");
      heads =
          new Heads(
              at.at(Place.Part.SELF_ATTENTION),
              n,
              n,
              hidden / n,
              config.probability("attention_dropout", 0));
      parallel = config.flag("use_parallel_residual", true);
      dropout = config.probability("hidden_dropout", 0);
      activation = ActivationFunction.of(config.text("hidden_act", "gelu"), config.source());
      boolean bias = config.flag("attention_bias", true);
      attentionNorm = addChildBlock("input_layernorm", new LayerNorm(hidden, epsilon(config)));
      outputNorm =
          addChildBlock("post_attention_layernorm", new LayerNorm(hidden, epsilon(config)));
      Group attention = addChildBlock("attention", new Group());
      inputs = attention.child("query_key_value", new Projection(hidden, 3L * hidden, bias, null));
      attended = attention.child("dense", new Projection(hidden, hidden, bias, "o"));
      Group feed = addChildBlock("mlp", new Group());
      up = feed.child("dense_h_to_4h", new Projection(hidden, inner, true, "fc1"));
      down = feed.child("dense_4h_to_h", new Projection(inner, hidden, true, "fc2"));
    }

    /** x {@code [B, T, hidden]}, bias {@code [B, 1, T, keys]} or null. */
    NDArray apply(Pass pass, Sequence sequence, NDArray x, @Nullable NDArray bias, Rotary rotary) {
      NDArray qkv = inputs.apply(pass, attentionNorm.apply(pass, x));
      Shape s = qkv.getShape();
      Shape one = new Shape(s.get(0), s.get(1), s.get(2) / 3);
      int n = heads.heads();
      NDList each = qkv.reshape(s.get(0), s.get(1), n, 3L * heads.size()).split(3, 3);
      NDArray joined =
          heads.attend(
              pass,
              sequence,
              rotary.turn(each.get(0).reshape(one), n),
              rotary.turn(each.get(1).reshape(one), n),
              each.get(2).reshape(one),
              bias);
      NDArray a = attended.apply(pass, joined);
      NDArray y =
          pass.sublayer(
              sequence.context(),
              at.at(Place.Part.SELF_ATTENTION),
              new Sublayer(pass.dropout(at.path() + ".attn", dropout, a), x));
      NDArray g = outputNorm.apply(pass, parallel ? x : y);
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
