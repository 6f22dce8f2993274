package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.function.IntUnaryOperator;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.Embedding;
import org.peft4j.nn.Group;
import org.peft4j.nn.Heads;
import org.peft4j.nn.Layer;
import org.peft4j.nn.Projection;
import org.peft4j.nn.RmsNorm;
import org.peft4j.nn.Rotary;
import org.peft4j.nn.Sequence;
import org.peft4j.nn.StackStep;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Place;
import org.peft4j.spi.Sublayer;

/**
 * Llama (Touvron et al., arXiv 2302.13971) as {@code transformers} computes it: layers of causal
 * attention with rotary positions (grouped keys and values) and a gated feed-forward part, each
 * behind an RMS norm. Mistral, Mixtral, Qwen and SmolLM3 are made of the same parts with other
 * {@link Traits}.
 */
final class Llama extends Body {
  static final List<String> INPUTS = List.of("input_ids", "attention_mask");
  static final List<String> USUAL_TARGETS = List.of("q", "v");

  static final Architecture ARCHITECTURE =
      new Architecture(
              "llama",
              "model",
              INPUTS,
              USUAL_TARGETS,
              (config, pooled) -> {
                boolean bias = config.flag("attention_bias", false);
                return new Llama(config, new Traits(bias, bias, false, layer -> 0));
              })
          .classifiedBy(LastTokenHead::new);

  /**
   * What tells the members of the family apart.
   *
   * @param inputBias whether q, k and v have biases
   * @param outputBias whether o has one
   * @param normalizedHeads whether every head of q and k passes an RMS norm of its own
   * @param window how many tokens a layer sees, by its number; 0 for all
   * @param turned whether a layer turns q and k by their positions, by its number
   * @param feed makes a layer's feed-forward part
   */
  record Traits(
      boolean inputBias,
      boolean outputBias,
      boolean normalizedHeads,
      IntUnaryOperator window,
      IntPredicate turned,
      FeedForward.Maker feed) {
    /** With Llama's feed-forward part in every layer. */
    Traits(
        boolean inputBias,
        boolean outputBias,
        boolean normalizedHeads,
        IntUnaryOperator window,
        IntPredicate turned) {
      this(inputBias, outputBias, normalizedHeads, window, turned, FeedForward::gated);
    }

    /** With rotary positions in every layer. */
    Traits(
        boolean inputBias, boolean outputBias, boolean normalizedHeads, IntUnaryOperator window) {
      this(inputBias, outputBias, normalizedHeads, window, layer -> true);
    }

    /** The same with other feed-forward parts. */
    Traits feeding(FeedForward.Maker other) {
      return new Traits(inputBias, outputBias, normalizedHeads, window, turned, other);
    }
  }

  private final int hidden;
  private final Embedding words;
  private final List<DecoderLayer> layers = new ArrayList<>();
  private final RmsNorm norm;
  private final RotaryScaling rotary;
  private final @Nullable StackStep step;

  Llama(Config config, Traits traits) {
    hidden = config.size("hidden_size");
    int headSize = config.sizeOr(hidden / config.size("num_attention_heads"), "head_dim");
    rotary = RotaryScaling.of(config, headSize);
    words =
        addChildBlock("embed_tokens", new Embedding(config.size("vocab_size"), hidden, "embed"));
    Group stack = addChildBlock("layers", new Group());
    for (int i = 0; i < config.size("num_hidden_layers"); i++) {
      layers.add(stack.child(String.valueOf(i), new DecoderLayer(config, traits, i, headSize)));
    }
    norm = addChildBlock("norm", new RmsNorm(hidden, config.number("rms_norm_eps", 1e-6)));
    step =
        layers.stream().allMatch(DecoderLayer::isUsual)
            ? new StackStep(layers.stream().map(DecoderLayer::part).toList())
            : null;
  }

  @Override
  public NDArray encode(Pass pass, Inputs in) {
    Sequence sequence = in.sequence(pass);
    NDArray x = pass.embeddings(sequence.context(), words.apply(pass, in.ids()));
    x = pass.entering(sequence.context(), x);
    Rotary turns = rotary.of(sequence);
    NDArray whole =
        step == null ? null : step.apply(pass, sequence, x, sequence.causalBias(), turns);
    if (whole != null) {
      return norm.apply(pass, whole);
    }
    for (DecoderLayer layer : layers) {
      x = layer.apply(pass, sequence, x, sequence.causalBias(layer.window), turns);
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
    private final int window;
    private final boolean turned;
    private final RmsNorm attentionNorm;
    private final Projection query;
    private final Projection key;
    private final Projection value;
    private final Projection attended;
    private final @Nullable RmsNorm queryNorm;
    private final @Nullable RmsNorm keyNorm;
    private final RmsNorm outputNorm;
    private final FeedForward feed;

    DecoderLayer(Config config, Traits traits, int index, int size) {
      at = new Place("layers." + index, index, Place.Part.LAYER);
      window = traits.window.applyAsInt(index);
      turned = traits.turned.test(index);
      int hidden = config.size("hidden_size");
      double epsilon = config.number("rms_norm_eps", 1e-6);
      int n = config.size("num_attention_heads");
      int groups = config.sizeOr(n, "num_key_value_heads");
      config.requireMultiple("num_attention_heads", n, "num_key_value_heads", groups);
      heads =
          new Heads(
              at.at(Place.Part.SELF_ATTENTION),
              n,
              groups,
              size,
              config.probability("attention_dropout", 0));
      Group attention = addChildBlock("self_attn", new Group());
      boolean bias = traits.inputBias;
      query = attention.child("q_proj", new Projection(hidden, (long) n * size, bias, "q"));
      key = attention.child("k_proj", new Projection(hidden, (long) groups * size, bias, "k"));
      value = attention.child("v_proj", new Projection(hidden, (long) groups * size, bias, "v"));
      attended =
          attention.child(
              "o_proj", new Projection((long) n * size, hidden, traits.outputBias, "o"));
      boolean normalized = traits.normalizedHeads;
      queryNorm = normalized ? attention.child("q_norm", new RmsNorm(size, epsilon)) : null;
      keyNorm = normalized ? attention.child("k_norm", new RmsNorm(size, epsilon)) : null;
      feed = addChildBlock("mlp", traits.feed.make(config, index));
      attentionNorm = addChildBlock("input_layernorm", new RmsNorm(hidden, epsilon));
      outputNorm = addChildBlock("post_attention_layernorm", new RmsNorm(hidden, epsilon));
    }

    /** Whether it does nothing that {@link StackStep} does not know. */
    boolean isUsual() {
      return window == 0 && turned && queryNorm == null && !feed.gatedBySilu().isEmpty();
    }

    StackStep.Part part() {
      List<Projection> all = new ArrayList<>(List.of(query, key, value, attended));
      all.addAll(feed.gatedBySilu());
      return new StackStep.Part(heads, attentionNorm, outputNorm, all);
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
              turned ? rotary.turn(q, heads.heads()) : q,
              turned ? rotary.turn(k, heads.groups()) : k,
              value.apply(pass, h),
              bias);
      NDArray y =
          pass.sublayer(
              sequence.context(),
              at.at(Place.Part.SELF_ATTENTION),
              new Sublayer(attended.apply(pass, joined), x));
      NDArray g = outputNorm.apply(pass, y);
      NDArray f = feed.apply(pass, g);
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
