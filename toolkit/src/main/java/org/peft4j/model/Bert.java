package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.Embedding;
import org.peft4j.nn.Group;
import org.peft4j.nn.Layer;
import org.peft4j.nn.LayerNorm;
import org.peft4j.nn.Projection;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Pass;
import org.peft4j.tensor.Attention;

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
          Bert::new,
          "LayerNorm.gamma=LayerNorm.weight",
          "LayerNorm.beta=LayerNorm.bias");

  private final int hidden;
  private final double dropout;
  private final Embedding words;
  private final Embedding positions;
  private final Embedding segments;
  private final LayerNorm norm;
  private final List<EncoderLayer> layers = new ArrayList<>();
  private final @Nullable Projection pooler;

  private Bert(Config config, boolean pooled) {
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
    long limit = positions.frozen().shape().get(0);
    if (in.length() > limit) {
      throw new IllegalArgumentException(
          "input_ids\nexpected: at most "
              + limit
              + " tokens per text\nfound: "
              + in.length()
              + "\nfix: truncate, for example tokenizer.maxLength("
              + limit
              + ")");
    }
    NDArray at = in.ids().getManager().arange(0, (int) in.length(), 1, DataType.INT64);
    NDArray x =
        words
            .apply(pass, in.ids())
            .add(segments.apply(pass, in.types()))
            .add(positions.apply(pass, at));
    x = pass.dropout("embeddings", dropout, norm.apply(pass, x));
    NDArray bias = in.paddingBias();
    for (EncoderLayer layer : layers) {
      x = layer.apply(pass, x, bias);
    }
    return x;
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
    private final String name;
    private final int heads;
    private final int hidden;
    private final double dropout;
    private final double attentionDropout;
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
      name = "layer." + index;
      hidden = config.size("hidden_size");
      heads = config.size("num_attention_heads");
      config.requireMultiple("hidden_size", hidden, "num_attention_heads", heads);
      int inner = config.size("intermediate_size");
      dropout = config.probability("hidden_dropout_prob", 0.1);
      attentionDropout = config.probability("attention_probs_dropout_prob", 0.1);
      activation = ActivationFunction.of(config.text("hidden_act", "gelu"), config.source());
      double epsilon = config.number("layer_norm_eps", 1e-12);
      Group attention = addChildBlock("attention", new Group());
      Group self = attention.group("self");
      query = self.child("query", new Projection(hidden, hidden, true, "q"));
      key = self.child("key", new Projection(hidden, hidden, true, "k"));
      value = self.child("value", new Projection(hidden, hidden, true, "v"));
      Group after = attention.group("output");
      attended = after.child("dense", new Projection(hidden, hidden, true, "o"));
      attentionNorm = after.child("LayerNorm", new LayerNorm(hidden, epsilon));
      up =
          addChildBlock("intermediate", new Group())
              .child("dense", new Projection(hidden, inner, true, "fc1"));
      Group output = addChildBlock("output", new Group());
      down = output.child("dense", new Projection(inner, hidden, true, "fc2"));
      outputNorm = output.child("LayerNorm", new LayerNorm(hidden, epsilon));
    }

    /** x {@code [B, T, hidden]}, bias broadcastable to {@code [B, heads, T, T]}. */
    NDArray apply(Pass pass, NDArray x, NDArray bias) {
      NDArray q = split(query.apply(pass, x));
      NDArray k = split(key.apply(pass, x));
      NDArray v = split(value.apply(pass, x));
      NDArray context;
      if (pass.training() && attentionDropout > 0) {
        NDArray weights =
            pass.dropout(name + ".attention.self", attentionDropout, Attention.weights(q, k, bias));
        context = weights.matMul(v);
      } else {
        context = Attention.of(q, k, v, bias);
      }
      NDArray joined = context.transpose(0, 2, 1, 3).reshape(x.getShape());
      NDArray a = pass.dropout(name + ".attention.output", dropout, attended.apply(pass, joined));
      NDArray y = attentionNorm.apply(pass, a.add(x));
      NDArray f = down.apply(pass, activation.apply(up.apply(pass, y)));
      return outputNorm.apply(pass, pass.dropout(name + ".output", dropout, f).add(y));
    }

    /** {@code [B, T, hidden]} to {@code [B, heads, T, hidden / heads]}. */
    private NDArray split(NDArray x) {
      long b = x.getShape().get(0);
      long t = x.getShape().get(1);
      return x.reshape(b, t, heads, hidden / heads).transpose(0, 2, 1, 3);
    }

    @Override
    protected ai.djl.ndarray.NDList compute(Pass pass, ai.djl.ndarray.NDList in) {
      return new ai.djl.ndarray.NDList(apply(pass, in.get(0), in.get(1)));
    }
  }
}
