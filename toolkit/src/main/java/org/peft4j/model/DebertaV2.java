package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.DisentangledPositions;
import org.peft4j.nn.Embedding;
import org.peft4j.nn.Group;
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
 * DeBERTa v2 and v3 (He et al., arXiv 2006.03654, 2111.09543) as {@code transformers} computes
 * them: BERT whose attention adds, to the products of contents, those of contents and relative
 * positions. All layers share one table of relative positions, normalised where the configuration
 * says so.
 */
final class DebertaV2 extends Body {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "deberta-v2",
              "deberta",
              List.of("input_ids", "attention_mask", "token_type_ids"),
              List.of("q", "v"),
              (config, pooled) -> new DebertaV2(config))
          .dropouts("hidden_dropout_prob", "attention_probs_dropout_prob")
          .classifiedBy(Classifier::new);

  private final int hidden;
  private final double dropout;
  private final Embedding words;
  private final @Nullable Embedding positions;
  private final @Nullable Embedding segments;
  private final LayerNorm norm;
  private final List<EncoderLayer> layers = new ArrayList<>();
  private final @Nullable Embedding relative;
  private final @Nullable LayerNorm relativeNorm;
  private final @Nullable DisentangledPositions rows;

  DebertaV2(Config config) {
    refuse(config);
    hidden = config.size("hidden_size");
    dropout = config.probability("hidden_dropout_prob", 0.1);
    Group embeddings = addChildBlock("embeddings", new Group());
    words =
        embeddings.child(
            "word_embeddings", new Embedding(config.size("vocab_size"), hidden, "embed"));
    int limit = config.sizeOr(512, "max_position_embeddings");
    positions =
        config.flag("position_biased_input", true)
            ? embeddings.child("position_embeddings", new Embedding(limit, hidden, null))
            : null;
    int types = (int) config.number("type_vocab_size", 0);
    segments =
        types > 0
            ? embeddings.child("token_type_embeddings", new Embedding(types, hidden, null))
            : null;
    norm = embeddings.child("LayerNorm", norm(config));
    Group encoder = addChildBlock("encoder", new Group());
    Group stack = encoder.group("layer");
    for (int i = 0; i < config.size("num_hidden_layers"); i++) {
      layers.add(stack.child(String.valueOf(i), new EncoderLayer(config, i)));
    }
    boolean relates = config.flag("relative_attention", false);
    int farthest = (int) config.number("max_relative_positions", -1);
    int buckets = (int) config.number("position_buckets", -1);
    rows =
        relates
            ? new DisentangledPositions(Math.max(0, buckets), farthest < 1 ? limit : farthest)
            : null;
    relative =
        rows == null
            ? null
            : encoder.child("rel_embeddings", new Embedding(rows.size(), hidden, null));
    boolean normalized = config.text("norm_rel_ebd", "none").contains("layer_norm");
    relativeNorm = normalized ? encoder.child("LayerNorm", norm(config)) : null;
  }

  private static LayerNorm norm(Config config) {
    return new LayerNorm(config.size("hidden_size"), config.number("layer_norm_eps", 1e-7));
  }

  private static void refuse(Config config) {
    if (config.number("conv_kernel_size", 0) > 0) {
      throw new IllegalArgumentException(
          config.source()
              + ": conv_kernel_size\n"
              + "expected: none, or 0 (the convolution of v2-xlarge is not supported)\nfound: "
              + config.values().get("conv_kernel_size")
              + "\nfix: a model without it, such as deberta-v3-base");
    }
    int hidden = config.size("hidden_size");
    for (String width : List.of("embedding_size", "pooler_hidden_size")) {
      int found = config.sizeOr(hidden, width);
      if (found != hidden) {
        throw new IllegalArgumentException(
            config.source()
                + ": "
                + width
                + "\nexpected: hidden_size, "
                + hidden
                + "\nfound: "
                + found);
      }
    }
  }

  /** Which products with positions a configuration asks for: {@code c2p}, {@code p2c}. */
  static List<String> products(Config config) {
    if (!(config.values().get("pos_att_type") instanceof String joined)) {
      return config.texts("pos_att_type");
    }
    return List.of(joined.toLowerCase(Locale.ROOT).strip().split("\\s*\\|\\s*"));
  }

  @Override
  public NDArray encode(Pass pass, Inputs in) {
    Sequence sequence = in.sequence(pass);
    NDArray x = pass.embeddings(sequence.context(), words.apply(pass, in.ids()));
    if (positions != null) {
      sequence.limit(positions.frozen().shape().get(0));
      x = x.add(positions.apply(pass, sequence.positions()));
    }
    if (segments != null) {
      x = x.add(segments.apply(pass, Bert.types(in, pass)));
    }
    x = norm.apply(pass, x);
    NDArray tokens = sequence.tokens();
    x = pass.dropout("embeddings", dropout, tokens == null ? x : x.mul(tokens));
    x = pass.entering(sequence.context(), x);
    NDArray bias = sequence.mutualPaddingBias();
    DisentangledHeads.Relation relation = relation(pass, sequence);
    for (EncoderLayer layer : layers) {
      x = layer.apply(pass, sequence, x, bias, relation);
    }
    return x;
  }

  /** The table {@code [1, rows, hidden]} and which of its rows each pair of tokens has. */
  private DisentangledHeads.@Nullable Relation relation(Pass pass, Sequence sequence) {
    if (relative == null || rows == null) {
      return null;
    }
    NDArray all = sequence.context().ids().getManager().arange(0, rows.size(), 1, DataType.INT64);
    NDArray table = relative.apply(pass, all.reshape(1, rows.size()));
    return new DisentangledHeads.Relation(
        relativeNorm == null ? table : relativeNorm.apply(pass, table), rows.of(sequence));
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
    return layers.get(0).attention.heads().anatomy(hidden, words.frozen(), paths);
  }

  private static final class EncoderLayer extends Layer {
    private final Place at;
    private final double dropout;
    private final DisentangledHeads attention;
    private final Projection attended;
    private final LayerNorm attentionNorm;
    private final Projection up;
    private final Projection down;
    private final LayerNorm outputNorm;
    private final ActivationFunction activation;

    EncoderLayer(Config config, int index) {
      at = new Place("encoder.layer." + index, index, Place.Part.LAYER);
      int hidden = config.size("hidden_size");
      int inner = config.size("intermediate_size");
      dropout = config.probability("hidden_dropout_prob", 0.1);
      activation = ActivationFunction.of(config.text("hidden_act", "gelu"), config.source());
      Group parts = addChildBlock("attention", new Group());
      attention = parts.child("self", new DisentangledHeads(config, at));
      Group after = parts.group("output");
      int joined = attention.heads().heads() * attention.heads().size();
      attended = after.child("dense", new Projection(joined, hidden, true, "o"));
      attentionNorm = after.child("LayerNorm", norm(config));
      up =
          addChildBlock("intermediate", new Group())
              .child("dense", new Projection(hidden, inner, true, "fc1"));
      Group output = addChildBlock("output", new Group());
      down = output.child("dense", new Projection(inner, hidden, true, "fc2"));
      outputNorm = output.child("LayerNorm", norm(config));
    }

    /** x {@code [B, T, hidden]}, bias {@code [B, 1, T, keys]} or null. */
    NDArray apply(
        Pass pass,
        Sequence sequence,
        NDArray x,
        @Nullable NDArray bias,
        DisentangledHeads.@Nullable Relation relation) {
      NDArray a = attended.apply(pass, attention.apply(pass, sequence, x, bias, relation));
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

  /** A dense layer and a linear layer on the first token. */
  private static final class Classifier extends Head {
    private final double poolerDropout;
    private final double dropout;
    private final Projection dense;
    private final ActivationFunction activation;
    private final Projection out;

    Classifier(Config config, int hidden, int labels) {
      poolerDropout = config.probability("pooler_dropout", 0);
      dropout = config.probability("cls_dropout", config.probability("hidden_dropout_prob", 0.1));
      activation = ActivationFunction.of(config.text("pooler_hidden_act", "gelu"), config.source());
      dense =
          addChildBlock("pooler", new Group())
              .child("dense", new Projection(hidden, hidden, true, null));
      out = addChildBlock("classifier", new Projection(hidden, labels, true, "head"));
    }

    @Override
    public NDArray apply(Pass pass, Body body, Inputs in, NDArray hidden) {
      NDArray first = pass.dropout("pooler", poolerDropout, hidden.get(":, 0"));
      NDArray pooled = activation.apply(dense.apply(pass, first));
      return out.apply(pass, pass.dropout("classifier", dropout, pooled));
    }

    @Override
    public Task task() {
      return Task.SEQUENCE_CLASSIFICATION;
    }
  }
}
