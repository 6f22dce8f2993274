package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.index.NDIndex;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.Embedding;
import org.peft4j.nn.Group;
import org.peft4j.nn.Heads;
import org.peft4j.nn.Layer;
import org.peft4j.nn.Projection;
import org.peft4j.nn.RmsNorm;
import org.peft4j.nn.Rotary;
import org.peft4j.nn.Sequence;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Place;
import org.peft4j.spi.Sublayer;
import org.peft4j.tensor.ActivationFunction;

/**
 * Phi-3, 3.5 and 4 mini (arXiv 2404.14219) as {@code transformers} computes them: Llama's layers
 * with q, k and v from one projection, {@code qkv_proj}, and the gate and what it gates from
 * another, {@code gate_up_proj}. The first {@code partial_rotary_factor} of a head's features turn.
 */
final class Phi3 extends Body {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "phi3",
              "model",
              Llama.INPUTS,
              List.of("qkv_proj"),
              (config, pooled) -> new Phi3(config))
          .dropouts("resid_pdrop", "attention_dropout")
          .classifiedBy(LastTokenHead::new);

  private final int hidden;
  private final Embedding words;
  private final List<DecoderLayer> layers = new ArrayList<>();
  private final RmsNorm norm;
  private final RotaryScaling rotary;
  private final int window;

  private Phi3(Config config) {
    hidden = config.size("hidden_size");
    int size = config.sizeOr(hidden / config.size("num_attention_heads"), "head_dim");
    rotary =
        RotaryScaling.of(config, RotaryScaling.turned(config, size, "partial_rotary_factor", 1));
    window = config.sizeOr(0, "sliding_window");
    words =
        addChildBlock("embed_tokens", new Embedding(config.size("vocab_size"), hidden, "embed"));
    Group stack = addChildBlock("layers", new Group());
    for (int i = 0; i < config.size("num_hidden_layers"); i++) {
      layers.add(stack.child(String.valueOf(i), new DecoderLayer(config, hidden, size, i)));
    }
    norm = addChildBlock("norm", new RmsNorm(hidden, epsilon(config)));
  }

  private static double epsilon(Config config) {
    return config.number("rms_norm_eps", 1e-5);
  }

  @Override
  public NDArray encode(Pass pass, Inputs in) {
    Sequence sequence = in.sequence(pass);
    NDArray x = pass.embeddings(sequence.context(), words.apply(pass, in.ids()));
    x = pass.entering(sequence.context(), x);
    Rotary turns = rotary.of(sequence);
    NDArray bias = sequence.causalBias(window);
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
    private final double dropout;
    private final RmsNorm attentionNorm;
    private final Projection inputs;
    private final Projection attended;
    private final RmsNorm outputNorm;
    private final Projection gateUp;
    private final Projection down;
    private final ActivationFunction activation;

    DecoderLayer(Config config, int hidden, int size, int index) {
      at = new Place("layers." + index, index, Place.Part.LAYER);
      int n = config.size("num_attention_heads");
      int groups = config.sizeOr(n, "num_key_value_heads");
      config.requireMultiple("num_attention_heads", n, "num_key_value_heads", groups);
      int inner = config.size("intermediate_size");
      dropout = config.probability("resid_pdrop", 0);
      heads =
          new Heads(
              at.at(Place.Part.SELF_ATTENTION),
              n,
              groups,
              size,
              config.probability("attention_dropout", 0));
      activation = ActivationFunction.of(config.text("hidden_act", "silu"), config.source());
      Group attention = addChildBlock("self_attn", new Group());
      attended = attention.child("o_proj", new Projection((long) n * size, hidden, false, "o"));
      inputs =
          attention.child(
              "qkv_proj", new Projection(hidden, (n + 2L * groups) * size, false, null));
      Group feed = addChildBlock("mlp", new Group());
      gateUp = feed.child("gate_up_proj", new Projection(hidden, 2L * inner, false, null));
      down = feed.child("down_proj", new Projection(inner, hidden, false, "down"));
      attentionNorm = addChildBlock("input_layernorm", new RmsNorm(hidden, epsilon(config)));
      outputNorm = addChildBlock("post_attention_layernorm", new RmsNorm(hidden, epsilon(config)));
    }

    /** x {@code [B, T, hidden]}, bias {@code [B, 1, T, keys]} or null. */
    NDArray apply(Pass pass, Sequence sequence, NDArray x, @Nullable NDArray bias, Rotary rotary) {
      NDArray qkv = inputs.apply(pass, attentionNorm.apply(pass, x));
      long first = (long) heads.heads() * heads.size();
      long second = first + (long) heads.groups() * heads.size();
      NDArray joined =
          heads.attend(
              pass,
              sequence,
              rotary.turn(part(qkv, 0, first), heads.heads()),
              rotary.turn(part(qkv, first, second), heads.groups()),
              part(qkv, second, qkv.getShape().get(2)),
              bias);
      NDArray a = attended.apply(pass, joined);
      NDArray y =
          pass.sublayer(
              sequence.context(),
              at.at(Place.Part.SELF_ATTENTION),
              new Sublayer(pass.dropout(at.path() + ".attn", dropout, a), x));
      NDArray gu = gateUp.apply(pass, outputNorm.apply(pass, y));
      long inner = gu.getShape().get(2) / 2;
      NDArray gated = activation.apply(part(gu, 0, inner)).mul(part(gu, inner, 2 * inner));
      NDArray f = down.apply(pass, gated);
      NDArray z =
          pass.sublayer(
              sequence.context(),
              at.at(Place.Part.FEED_FORWARD),
              new Sublayer(pass.dropout(at.path() + ".mlp", dropout, f), y));
      return pass.layer(sequence.context(), at, z);
    }

    /** Features {@code from} to {@code to} of x {@code [B, T, features]}. */
    private static NDArray part(NDArray x, long from, long to) {
      return x.get(new NDIndex("..., " + from + ":" + to));
    }

    @Override
    protected NDList compute(Pass pass, NDList in) {
      throw new UnsupportedOperationException("a layer computes as part of its model");
    }
  }
}
