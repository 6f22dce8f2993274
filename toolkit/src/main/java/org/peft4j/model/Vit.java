package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.Constant;
import org.peft4j.nn.Convolution;
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
 * ViT (Dosovitskiy et al., arXiv 2010.11929) as {@code transformers} computes it: an image is cut
 * into patches, each becomes a vector by one convolution; a learned vector in front of them stands
 * for the image; learned positions are added; then layers of self-attention and a feed-forward
 * part, each behind a normalisation.
 *
 * <p>What hooks see: rows of an image are no tokens, so {@code Context.ids} holds -1 for each of
 * them, image vector included. Virtual tokens go between the image vector, which stays first, and
 * the patches, and get no positions (visual prompts, arXiv 2203.12119).
 */
final class Vit extends Body {
  static final Architecture ARCHITECTURE =
      new Architecture("vit", "vit", List.of("pixel_values"), List.of("q", "v"), Vit::new)
          .filed(
              "layers.=encoder.layer.",
              ".attention.q_proj.=.attention.attention.query.",
              ".attention.k_proj.=.attention.attention.key.",
              ".attention.v_proj.=.attention.attention.value.",
              ".attention.o_proj.=.attention.output.dense.",
              ".mlp.fc1.=.intermediate.dense.",
              ".mlp.fc2.=.output.dense.")
          .dropouts("hidden_dropout_prob", "attention_probs_dropout_prob")
          .headed(
              Task.IMAGE_CLASSIFICATION,
              (config, hidden, labels) ->
                  new ClassificationHead(
                      hidden, labels, Pooling.CLS, 0, Task.IMAGE_CLASSIFICATION));

  private final int hidden;
  private final double dropout;
  private final Shape image;
  private final long patches;
  private final Convolution projection;
  private final Constant first;
  private final Constant positions;
  private final List<EncoderLayer> layers = new ArrayList<>();
  private final LayerNorm norm;
  private final @Nullable Projection pooler;
  private final ActivationFunction poolerActivation;

  Vit(Config config, boolean pooled) {
    hidden = config.size("hidden_size");
    dropout = config.probability("hidden_dropout_prob", 0);
    int channels = config.sizeOr(3, "num_channels");
    Shape size = config.pair("image_size", 224);
    Shape patch = config.pair("patch_size", 16);
    image = new Shape(channels, size.get(0), size.get(1));
    patches = (size.get(0) / patch.get(0)) * (size.get(1) / patch.get(1));
    Group embeddings = addChildBlock("embeddings", new Group());
    first = embeddings.child("cls_token", new Constant(1, 1, hidden));
    positions = embeddings.child("position_embeddings", new Constant(1, 1 + patches, hidden));
    projection =
        embeddings
            .group("patch_embeddings")
            .child("projection", new Convolution(channels, hidden, patch, patch));
    Group stack = addChildBlock("layers", new Group());
    for (int i = 0; i < config.size("num_hidden_layers"); i++) {
      layers.add(stack.child(String.valueOf(i), new EncoderLayer(config, i)));
    }
    norm = addChildBlock("layernorm", new LayerNorm(hidden, epsilon(config)));
    int width = config.sizeOr(hidden, "pooler_output_size");
    pooler =
        pooled
            ? addChildBlock("pooler", new Group())
                .child("dense", new Projection(hidden, width, true, null))
            : null;
    poolerActivation = ActivationFunction.of(config.text("pooler_act", "tanh"), config.source());
  }

  private static double epsilon(Config config) {
    return config.number("layer_norm_eps", 1e-12);
  }

  @Override
  public NDArray encode(Pass pass, Inputs in) {
    NDArray pixels = in.require("pixel_values").toType(DataType.FLOAT32, false);
    if (pixels.getShape().dimension() != 4 || !pixels.getShape().slice(1).equals(image)) {
      throw new IllegalArgumentException(
          "pixel_values\nexpected: (batch, "
              + image.get(0)
              + ", "
              + image.get(1)
              + ", "
              + image.get(2)
              + ")\nfound: "
              + pixels.getShape()
              + "\nfix: scale and normalise images as the model's preprocessor_config.json says");
    }
    long batch = pixels.getShape().get(0);
    NDArray none = pixels.getManager().zeros(new Shape(batch, 1 + patches), DataType.INT64).sub(1);
    Sequence sequence = Sequence.of(pass, none, null, null, null);
    NDArray at = positions.value(pass);
    NDArray x =
        projection
            .apply(pass, pixels)
            .reshape(batch, hidden, patches)
            .transpose(0, 2, 1)
            .add(at.get(":, 1:"));
    x = pass.embeddings(sequence.context(), x);
    NDArray whole = first.value(pass).add(at.get(":, :1")).broadcast(new Shape(batch, 1, hidden));
    x = pass.dropout("embeddings", dropout, whole.concat(x, 1));
    x = pass.entering(sequence.context(), x);
    for (EncoderLayer layer : layers) {
      x = layer.apply(pass, sequence, x);
    }
    return norm.apply(pass, x);
  }

  @Override
  public @Nullable NDArray pool(Pass pass, NDArray states) {
    return pooler == null ? null : poolerActivation.apply(pooler.apply(pass, states.get(":, 0")));
  }

  @Override
  public int hiddenSize() {
    return hidden;
  }

  /** What makes vectors of patches, which stand where other models have tokens. */
  @Override
  public Frozen embeddings() {
    return projection.frozen();
  }

  @Override
  public Anatomy anatomy() {
    List<String> paths = layers.stream().map(l -> l.at.path()).toList();
    return layers.get(0).heads.anatomy(hidden, embeddings(), paths);
  }

  private static final class EncoderLayer extends Layer {
    private final Place at;
    private final Heads heads;
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

    EncoderLayer(Config config, int index) {
      at = new Place("layers." + index, index, Place.Part.LAYER);
      int hidden = config.size("hidden_size");
      int n = config.size("num_attention_heads");
      config.requireMultiple("hidden_size", hidden, "num_attention_heads", n);
      int inner = config.size("intermediate_size");
      dropout = config.probability("hidden_dropout_prob", 0);
      heads =
          new Heads(
              at.at(Place.Part.SELF_ATTENTION),
              n,
              n,
              hidden / n,
              config.probability("attention_probs_dropout_prob", 0));
      activation = ActivationFunction.of(config.text("hidden_act", "gelu"), config.source());
      boolean bias = config.flag("qkv_bias", true);
      Group attention = addChildBlock("attention", new Group());
      query = attention.child("q_proj", new Projection(hidden, hidden, bias, "q"));
      key = attention.child("k_proj", new Projection(hidden, hidden, bias, "k"));
      value = attention.child("v_proj", new Projection(hidden, hidden, bias, "v"));
      attended = attention.child("o_proj", new Projection(hidden, hidden, true, "o"));
      attentionNorm = addChildBlock("layernorm_before", new LayerNorm(hidden, epsilon(config)));
      outputNorm = addChildBlock("layernorm_after", new LayerNorm(hidden, epsilon(config)));
      Group feed = addChildBlock("mlp", new Group());
      up = feed.child("fc1", new Projection(hidden, inner, true, "fc1"));
      down = feed.child("fc2", new Projection(inner, hidden, true, "fc2"));
    }

    /** x {@code [B, rows, hidden]}. */
    NDArray apply(Pass pass, Sequence sequence, NDArray x) {
      NDArray h = attentionNorm.apply(pass, x);
      NDArray q = query.apply(pass, h);
      NDArray k = key.apply(pass, h);
      NDArray joined = heads.attend(pass, sequence, q, k, value.apply(pass, h), null);
      NDArray a = attended.apply(pass, joined);
      NDArray y =
          pass.sublayer(
              sequence.context(),
              at.at(Place.Part.SELF_ATTENTION),
              new Sublayer(pass.dropout(at.path() + ".attention", dropout, a), x));
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
