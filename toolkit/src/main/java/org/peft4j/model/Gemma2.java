package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
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
import org.peft4j.tensor.Attention;
import org.peft4j.tensor.Scalars;

/**
 * Gemma 2 (arXiv 2408.00118) as {@code transformers} computes it: embeddings times {@code
 * sqrt(hidden)}, then layers of causal attention and a gated feed-forward part, each between two
 * RMS norms that multiply by {@code 1 + weight}. Every other layer sees a window of tokens only.
 * {@code tanh} bounds the scores of attention and of the next token. Gemma 3 is made of the same
 * parts.
 */
final class Gemma2 extends Body {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "gemma2",
              "model",
              Llama.INPUTS,
              Llama.USUAL_TARGETS,
              (config, pooled) -> {
                RotaryScaling rotary = RotaryScaling.of(config, headSize(config));
                double cap = cap(config, "attn_logit_softcapping", 50);
                double finalCap = cap(config, "final_logit_softcapping", 30);
                IntPredicate local = local(config, layer -> layer % 2 == 0);
                return new Gemma2(config, new Traits(local, rotary, rotary, false, cap, finalCap));
              })
          .tied()
          .classifiedBy(LastTokenHead::new);

  /**
   * What tells the members of the family apart.
   *
   * @param local whether a layer sees a window only, by its number
   * @param near positions of such layers
   * @param far positions of the others
   * @param normalizedHeads whether every head of q and k passes an RMS norm of its own
   * @param cap bound of the scores of attention; 0 for none
   * @param finalCap bound of the scores of the next token; 0 for none
   */
  record Traits(
      IntPredicate local,
      RotaryScaling near,
      RotaryScaling far,
      boolean normalizedHeads,
      double cap,
      double finalCap) {}

  private final int hidden;
  private final int window;
  private final Traits traits;
  private final Embedding words;
  private final List<DecoderLayer> layers = new ArrayList<>();
  private final RmsNorm norm;

  Gemma2(Config config, Traits traits) {
    if (config.flag("use_bidirectional_attention", false)) {
      throw new IllegalArgumentException(
          config.source() + ": use_bidirectional_attention\nexpected: false\nfound: true");
    }
    this.traits = traits;
    hidden = config.size("hidden_size");
    window = config.sizeOr(4096, "sliding_window");
    words =
        addChildBlock("embed_tokens", new Embedding(config.size("vocab_size"), hidden, "embed"));
    Group stack = addChildBlock("layers", new Group());
    for (int i = 0; i < config.size("num_hidden_layers"); i++) {
      layers.add(stack.child(String.valueOf(i), new DecoderLayer(config, traits, i)));
    }
    norm = addChildBlock("norm", norm(config, hidden));
  }

  static int headSize(Config config) {
    return config.sizeOr(256, "head_dim");
  }

  /** What {@code layer_types} says, else {@code usual}. */
  static IntPredicate local(Config config, IntPredicate usual) {
    List<String> types = config.texts("layer_types");
    return types.isEmpty() ? usual : layer -> types.get(layer).equals("sliding_attention");
  }

  /** A bound that a configuration may deny by null. */
  static double cap(Config config, String key, double otherwise) {
    return config.values().containsKey(key) ? config.number(key, 0) : otherwise;
  }

  private static RmsNorm norm(Config config, int size) {
    return RmsNorm.fromOne(size, config.number("rms_norm_eps", 1e-6));
  }

  @Override
  public NDArray encode(Pass pass, Inputs in) {
    Sequence sequence = in.sequence(pass);
    NDArray scaled = Scalars.mul(words.apply(pass, in.ids()), Math.sqrt(hidden));
    NDArray x = pass.embeddings(sequence.context(), scaled);
    x = pass.entering(sequence.context(), x);
    Rotary far = traits.far.of(sequence);
    Rotary near = traits.near == traits.far ? far : traits.near.of(sequence);
    for (DecoderLayer layer : layers) {
      x =
          layer.local
              ? layer.apply(pass, sequence, x, sequence.causalBias(window), near)
              : layer.apply(pass, sequence, x, sequence.causalBias(), far);
    }
    return norm.apply(pass, x);
  }

  @Override
  NDArray scores(NDArray logits) {
    return traits.finalCap > 0 ? Attention.capped(logits, traits.finalCap) : logits;
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
    private final boolean local;
    private final RmsNorm attentionNorm;
    private final RmsNorm attendedNorm;
    private final RmsNorm feedNorm;
    private final RmsNorm fedNorm;
    private final Projection query;
    private final Projection key;
    private final Projection value;
    private final Projection attended;
    private final @Nullable RmsNorm queryNorm;
    private final @Nullable RmsNorm keyNorm;
    private final Projection gate;
    private final Projection up;
    private final Projection down;
    private final ActivationFunction activation;

    DecoderLayer(Config config, Traits traits, int index) {
      at = new Place("layers." + index, index, Place.Part.LAYER);
      local = traits.local.test(index);
      int hidden = config.size("hidden_size");
      int inner = config.size("intermediate_size");
      int n = config.size("num_attention_heads");
      int groups = config.sizeOr(n, "num_key_value_heads");
      config.requireMultiple("num_attention_heads", n, "num_key_value_heads", groups);
      int size = headSize(config);
      heads =
          new Heads(
              at.at(Place.Part.SELF_ATTENTION),
              n,
              groups,
              size,
              config.probability("attention_dropout", 0),
              Math.pow(config.number("query_pre_attn_scalar", 256), -0.5),
              traits.cap);
      activation =
          ActivationFunction.of(
              config.text("hidden_activation", "gelu_pytorch_tanh"), config.source());
      boolean bias = config.flag("attention_bias", false);
      Group attention = addChildBlock("self_attn", new Group());
      query = attention.child("q_proj", new Projection(hidden, (long) n * size, bias, "q"));
      key = attention.child("k_proj", new Projection(hidden, (long) groups * size, bias, "k"));
      value = attention.child("v_proj", new Projection(hidden, (long) groups * size, bias, "v"));
      attended = attention.child("o_proj", new Projection((long) n * size, hidden, bias, "o"));
      queryNorm = traits.normalizedHeads ? attention.child("q_norm", norm(config, size)) : null;
      keyNorm = traits.normalizedHeads ? attention.child("k_norm", norm(config, size)) : null;
      Group feed = addChildBlock("mlp", new Group());
      gate = feed.child("gate_proj", new Projection(hidden, inner, false, "gate"));
      up = feed.child("up_proj", new Projection(hidden, inner, false, "up"));
      down = feed.child("down_proj", new Projection(inner, hidden, false, "down"));
      attentionNorm = addChildBlock("input_layernorm", norm(config, hidden));
      attendedNorm = addChildBlock("post_attention_layernorm", norm(config, hidden));
      feedNorm = addChildBlock("pre_feedforward_layernorm", norm(config, hidden));
      fedNorm = addChildBlock("post_feedforward_layernorm", norm(config, hidden));
    }

    /** x {@code [B, T, hidden]}, bias {@code [B, 1, T, keys]} or null. */
    NDArray apply(Pass pass, Sequence sequence, NDArray x, @Nullable NDArray bias, Rotary rotary) {
      NDArray h = attentionNorm.apply(pass, x);
      NDArray q = normalized(pass, queryNorm, query.apply(pass, h), heads.heads());
      NDArray k = normalized(pass, keyNorm, key.apply(pass, h), heads.groups());
      NDArray joined =
          heads.attend(
              pass,
              sequence,
              rotary.turn(q, heads.heads()),
              rotary.turn(k, heads.groups()),
              value.apply(pass, h),
              bias);
      NDArray a = attendedNorm.apply(pass, attended.apply(pass, joined));
      NDArray y =
          pass.sublayer(sequence.context(), at.at(Place.Part.SELF_ATTENTION), new Sublayer(a, x));
      NDArray g = feedNorm.apply(pass, y);
      NDArray inner = activation.apply(gate.apply(pass, g)).mul(up.apply(pass, g));
      NDArray f = fedNorm.apply(pass, down.apply(pass, inner));
      NDArray z =
          pass.sublayer(sequence.context(), at.at(Place.Part.FEED_FORWARD), new Sublayer(f, y));
      return pass.layer(sequence.context(), at, z);
    }

    /** x {@code [B, T, n size]}, each of its n heads normalised where there is a norm. */
    private NDArray normalized(Pass pass, @Nullable RmsNorm norm, NDArray x, int n) {
      if (norm == null) {
        return x;
      }
      Shape s = x.getShape();
      return norm.apply(pass, x.reshape(s.get(0), s.get(1), n, heads.size())).reshape(s);
    }

    @Override
    protected NDList compute(Pass pass, NDList in) {
      throw new UnsupportedOperationException("a layer computes as part of its model");
    }
  }
}
