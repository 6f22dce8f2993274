package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
 * ModernBERT (Warner et al., arXiv 2412.13663) as {@code transformers} computes it: layers of
 * self-attention and a gated feed-forward part, each behind a normalisation (but the first
 * attention, which follows that of the embeddings). Some layers see the whole text, the others a
 * window around each token; the two kinds have rotary positions of their own. q, k and v come from
 * one projection, {@code Wqkv}.
 */
final class ModernBert extends Body {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "modernbert",
              "model",
              List.of("input_ids", "attention_mask"),
              List.of("Wqkv"),
              (config, pooled) -> new ModernBert(config))
          .dropouts("embedding_dropout", "attention_dropout", "mlp_dropout")
          .classifiedBy(head(Task.SEQUENCE_CLASSIFICATION))
          .headed(Task.TOKEN_CLASSIFICATION, head(Task.TOKEN_CLASSIFICATION))
          .headed(Task.QUESTION_ANSWERING, head(Task.QUESTION_ANSWERING));

  private final int hidden;
  private final double dropout;
  private final int reach;
  private final Embedding words;
  private final LayerNorm embedded;
  private final List<EncoderLayer> layers = new ArrayList<>();
  private final LayerNorm norm;
  private final RotaryScaling whole;
  private final RotaryScaling local;

  ModernBert(Config config) {
    hidden = config.size("hidden_size");
    int heads = config.size("num_attention_heads");
    config.requireMultiple("hidden_size", hidden, "num_attention_heads", heads);
    dropout = config.probability("embedding_dropout", 0);
    reach = config.sizeOr(128, "local_attention") / 2;
    whole = rotary(config, "full_attention", "global_rope_theta", 160000, hidden / heads);
    local = rotary(config, "sliding_attention", "local_rope_theta", 10000, hidden / heads);
    Group embeddings = addChildBlock("embeddings", new Group());
    words =
        embeddings.child(
            "tok_embeddings", new Embedding(config.size("vocab_size"), hidden, "embed"));
    embedded = embeddings.child("norm", norm(config));
    Group stack = addChildBlock("layers", new Group());
    for (int i = 0; i < config.size("num_hidden_layers"); i++) {
      layers.add(stack.child(String.valueOf(i), new EncoderLayer(config, i)));
    }
    norm = addChildBlock("final_norm", norm(config));
  }

  private static LayerNorm norm(Config config) {
    return new LayerNorm(
        config.size("hidden_size"),
        config.number("norm_eps", 1e-5),
        config.flag("norm_bias", false));
  }

  /** Frequencies of one kind of layers, from its own entries or, in older files, by its base. */
  private static RotaryScaling rotary(
      Config config, String kind, String older, double theta, int size) {
    Config both = config.object("rope_parameters");
    Config own = both == null ? config.object("rope_scaling") : both.object(kind);
    Map<String, @Nullable Object> given = new LinkedHashMap<>();
    if (own != null) {
      given.putAll(own.values());
    }
    given.putIfAbsent("rope_theta", config.number(older, theta));
    return RotaryScaling.of(config.with("rope_parameters", given), size);
  }

  /** Whether a layer sees the whole text. */
  private static boolean seesAll(Config config, int layer) {
    List<String> types = config.texts("layer_types");
    return types.isEmpty()
        ? layer % config.sizeOr(3, "global_attn_every_n_layers") == 0
        : types.get(layer).equals("full_attention");
  }

  @Override
  public NDArray encode(Pass pass, Inputs in) {
    Sequence sequence = in.sequence(pass);
    NDArray x = pass.embeddings(sequence.context(), words.apply(pass, in.ids()));
    x = pass.dropout("embeddings", dropout, embedded.apply(pass, x));
    x = pass.entering(sequence.context(), x);
    NDArray padding = sequence.paddingBias();
    NDArray window = sequence.windowBias(reach);
    Rotary far = turns(whole, sequence);
    Rotary near = turns(local, sequence);
    for (EncoderLayer layer : layers) {
      x =
          layer.seesAll
              ? layer.apply(pass, sequence, x, padding, far)
              : layer.apply(pass, sequence, x, window, near);
    }
    return norm.apply(pass, x);
  }

  private static Rotary turns(RotaryScaling rotary, Sequence sequence) {
    double[] frequencies = rotary.frequencies(rotary.dynamic() ? sequence.countedKeys() : 0);
    return Rotary.of(sequence.positions(), frequencies, rotary.factor());
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
    private final boolean seesAll;
    private final Heads heads;
    private final double dropout;
    private final double innerDropout;
    private final @Nullable LayerNorm attentionNorm;
    private final Projection inputs;
    private final Projection attended;
    private final LayerNorm outputNorm;
    private final Projection up;
    private final Projection down;
    private final ActivationFunction activation;

    EncoderLayer(Config config, int index) {
      at = new Place("layers." + index, index, Place.Part.LAYER);
      seesAll = seesAll(config, index);
      int hidden = config.size("hidden_size");
      int n = config.size("num_attention_heads");
      int inner = config.size("intermediate_size");
      boolean biased = config.flag("attention_bias", false);
      boolean innerBiased = config.flag("mlp_bias", false);
      dropout = config.probability("attention_dropout", 0);
      innerDropout = config.probability("mlp_dropout", 0);
      heads = new Heads(at.at(Place.Part.SELF_ATTENTION), n, n, hidden / n, dropout);
      activation = ActivationFunction.of(config.text("hidden_activation", "gelu"), config.source());
      attentionNorm = index == 0 ? null : addChildBlock("attn_norm", norm(config));
      Group attention = addChildBlock("attn", new Group());
      inputs = attention.child("Wqkv", new Projection(hidden, 3L * hidden, biased, null));
      attended = attention.child("Wo", new Projection(hidden, hidden, biased, "o"));
      outputNorm = addChildBlock("mlp_norm", norm(config));
      Group feed = addChildBlock("mlp", new Group());
      up = feed.child("Wi", new Projection(hidden, 2L * inner, innerBiased, "fc1"));
      down = feed.child("Wo", new Projection(inner, hidden, innerBiased, "fc2"));
    }

    /** x {@code [B, T, hidden]}, bias {@code [B or 1, 1, 1 or T, keys]} or null. */
    NDArray apply(Pass pass, Sequence sequence, NDArray x, @Nullable NDArray bias, Rotary turns) {
      NDArray h = attentionNorm == null ? x : attentionNorm.apply(pass, x);
      NDList qkv = inputs.apply(pass, h).split(3, 2);
      NDArray q = turns.turn(qkv.get(0), heads.heads());
      NDArray k = turns.turn(qkv.get(1), heads.heads());
      NDArray a = attended.apply(pass, heads.attend(pass, sequence, q, k, qkv.get(2), bias));
      NDArray y =
          pass.sublayer(
              sequence.context(),
              at.at(Place.Part.SELF_ATTENTION),
              new Sublayer(pass.dropout(at.path() + ".attn", dropout, a), x));
      NDList gated = up.apply(pass, outputNorm.apply(pass, y)).split(2, 2);
      NDArray inner = activation.apply(gated.get(0)).mul(gated.get(1));
      NDArray f = down.apply(pass, pass.dropout(at.path() + ".mlp", innerDropout, inner));
      NDArray z =
          pass.sublayer(sequence.context(), at.at(Place.Part.FEED_FORWARD), new Sublayer(f, y));
      return pass.layer(sequence.context(), at, z);
    }

    @Override
    protected NDList compute(Pass pass, NDList in) {
      throw new UnsupportedOperationException("a layer computes as part of its model");
    }
  }

  private static Architecture.HeadMaker head(Task task) {
    return (config, hidden, labels) -> new NormalizedHead(task, config, hidden, labels);
  }

  /** A dense layer, its activation, a normalisation and a linear layer, on texts or tokens. */
  private static final class NormalizedHead extends Head {
    private final Task task;
    private final Pooling pooling;
    private final double dropout;
    private final Projection dense;
    private final ActivationFunction activation;
    private final LayerNorm norm;
    private final Projection out;

    NormalizedHead(Task task, Config config, int hidden, int labels) {
      this.task = task;
      pooling =
          config.text("classifier_pooling", "cls").equals("mean") ? Pooling.MEAN : Pooling.CLS;
      dropout = config.probability("classifier_dropout", 0);
      activation =
          ActivationFunction.of(config.text("classifier_activation", "gelu"), config.source());
      Group head = addChildBlock("head", new Group());
      boolean biased = config.flag("classifier_bias", false);
      dense = head.child("dense", new Projection(hidden, hidden, biased, null));
      norm = head.child("norm", norm(config));
      out = addChildBlock("classifier", new Projection(hidden, labels, true, "head"));
    }

    @Override
    public NDArray apply(Pass pass, Body body, Inputs in, NDArray hidden) {
      NDArray x =
          task == Task.SEQUENCE_CLASSIFICATION
              ? pooling.apply(pass, body, in, hidden)
              : body.own(pass, in, hidden);
      NDArray h = norm.apply(pass, activation.apply(dense.apply(pass, x)));
      return out.apply(pass, pass.dropout("classifier", dropout, h));
    }

    @Override
    public NDList outputs(Pass pass, Body body, Inputs in, NDArray hidden) {
      NDArray logits = apply(pass, body, in, hidden);
      return task == Task.QUESTION_ANSWERING
          ? new NDList(logits.get(":, :, 0"), logits.get(":, :, 1"))
          : new NDList(logits);
    }

    @Override
    public Task task() {
      return task;
    }

    @Override
    boolean drops() {
      return dropout > 0;
    }

    @Override
    public List<String> outputNames() {
      return task == Task.QUESTION_ANSWERING
          ? List.of("start_logits", "end_logits")
          : List.of("logits");
    }
  }
}
