package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import java.util.ArrayList;
import java.util.List;
import org.peft4j.nn.Embedding;
import org.peft4j.nn.Group;
import org.peft4j.nn.Layer;
import org.peft4j.nn.Projection;
import org.peft4j.nn.RmsNorm;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Pass;
import org.peft4j.tensor.Attention;

/**
 * Llama (Touvron et al., arXiv 2302.13971) as {@code transformers} computes it: layers of causal
 * attention with rotary positions (grouped keys and values) and a gated feed-forward part, each
 * behind an RMS norm.
 */
final class Llama extends Body {
  static final Architecture ARCHITECTURE =
      new Architecture(
          "llama",
          "model",
          List.of("input_ids", "attention_mask"),
          List.of("q", "v"),
          (config, pooled) -> new Llama(config));

  private final int hidden;
  private final Embedding words;
  private final List<DecoderLayer> layers = new ArrayList<>();
  private final RmsNorm norm;
  private final int headSize;
  private final double base;

  private Llama(Config config) {
    hidden = config.size("hidden_size");
    int heads = config.size("num_attention_heads");
    headSize = config.sizeOr(hidden / heads, "head_dim");
    Config rope = config.object("rope_parameters");
    base = rope == null ? config.number("rope_theta", 10000) : rope.number("rope_theta", 10000);
    Config scaling = rope == null ? config.object("rope_scaling") : rope;
    String type =
        scaling == null ? "default" : scaling.text("rope_type", scaling.text("type", "default"));
    if (!type.equals("default")) {
      throw new IllegalArgumentException(
          config.source() + ": rope scaling\nexpected: none (default)\nfound: " + type);
    }
    words =
        addChildBlock("embed_tokens", new Embedding(config.size("vocab_size"), hidden, "embed"));
    Group stack = addChildBlock("layers", new Group());
    for (int i = 0; i < config.size("num_hidden_layers"); i++) {
      layers.add(stack.child(String.valueOf(i), new DecoderLayer(config, i, headSize)));
    }
    norm = addChildBlock("norm", new RmsNorm(hidden, config.number("rms_norm_eps", 1e-6)));
  }

  @Override
  public NDArray encode(Pass pass, Inputs in) {
    NDArray x = words.apply(pass, in.ids());
    Rotary rotary = Rotary.of(in.ids().getManager(), in.length(), headSize, base);
    NDArray bias = in.causalBias();
    for (DecoderLayer layer : layers) {
      x = layer.apply(pass, x, bias, rotary);
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

  /**
   * Cosines and sines {@code [length, head size]} of the angles by which positions turn pairs of
   * features (arXiv 2104.09864).
   */
  private record Rotary(NDArray cos, NDArray sin) {
    static Rotary of(NDManager m, long length, int size, double base) {
      float[] frequency = new float[size];
      for (int i = 0; i < size; i++) {
        frequency[i] = (float) (1 / Math.pow(base, 2.0 * (i % (size / 2)) / size));
      }
      NDArray at =
          m.arange(0, (int) length, 1, DataType.INT64)
              .toType(DataType.FLOAT32, false)
              .reshape(length, 1);
      NDArray angle = at.mul(m.create(frequency).reshape(1, size));
      return new Rotary(angle.cos(), angle.sin());
    }

    NDArray turn(NDArray x) {
      long half = x.getShape().get(3) / 2;
      NDArray first = x.get(new NDIndex("..., :" + half));
      NDArray second = x.get(new NDIndex("..., " + half + ":"));
      return x.mul(cos).add(second.neg().concat(first, -1).mul(sin));
    }
  }

  private static final class DecoderLayer extends Layer {
    private final int heads;
    private final int groups;
    private final int size;
    private final RmsNorm attentionNorm;
    private final Projection query;
    private final Projection key;
    private final Projection value;
    private final Projection attended;
    private final RmsNorm outputNorm;
    private final Projection gate;
    private final Projection up;
    private final Projection down;
    private final ActivationFunction activation;
    private final double attentionDropout;
    private final String name;

    DecoderLayer(Config config, int index, int headSize) {
      name = "layers." + index;
      int hidden = config.size("hidden_size");
      int inner = config.size("intermediate_size");
      double epsilon = config.number("rms_norm_eps", 1e-6);
      heads = config.size("num_attention_heads");
      groups = config.sizeOr(heads, "num_key_value_heads");
      config.requireMultiple("num_attention_heads", heads, "num_key_value_heads", groups);
      size = headSize;
      boolean bias = config.flag("attention_bias", false);
      boolean mlpBias = config.flag("mlp_bias", false);
      attentionDropout = config.probability("attention_dropout", 0);
      activation = ActivationFunction.of(config.text("hidden_act", "silu"), config.source());
      Group attention = addChildBlock("self_attn", new Group());
      query = attention.child("q_proj", new Projection(hidden, (long) heads * size, bias, "q"));
      key = attention.child("k_proj", new Projection(hidden, (long) groups * size, bias, "k"));
      value = attention.child("v_proj", new Projection(hidden, (long) groups * size, bias, "v"));
      attended = attention.child("o_proj", new Projection((long) heads * size, hidden, bias, "o"));
      Group feed = addChildBlock("mlp", new Group());
      gate = feed.child("gate_proj", new Projection(hidden, inner, mlpBias, "gate"));
      up = feed.child("up_proj", new Projection(hidden, inner, mlpBias, "up"));
      down = feed.child("down_proj", new Projection(inner, hidden, mlpBias, "down"));
      attentionNorm = addChildBlock("input_layernorm", new RmsNorm(hidden, epsilon));
      outputNorm = addChildBlock("post_attention_layernorm", new RmsNorm(hidden, epsilon));
    }

    /** x {@code [B, T, hidden]}, bias {@code [B, 1, T, T]}. */
    NDArray apply(Pass pass, NDArray x, NDArray bias, Rotary rotary) {
      NDArray h = attentionNorm.apply(pass, x);
      NDArray q = rotary.turn(split(query.apply(pass, h), heads));
      NDArray k = shared(rotary.turn(split(key.apply(pass, h), groups)));
      NDArray v = shared(split(value.apply(pass, h), groups));
      NDArray context;
      if (pass.training() && attentionDropout > 0) {
        context =
            pass.dropout(name + ".self_attn", attentionDropout, Attention.weights(q, k, bias))
                .matMul(v);
      } else {
        context = Attention.of(q, k, v, bias);
      }
      long b = x.getShape().get(0);
      long t = x.getShape().get(1);
      NDArray joined = context.transpose(0, 2, 1, 3).reshape(b, t, (long) heads * size);
      NDArray y = x.add(attended.apply(pass, joined));
      NDArray g = outputNorm.apply(pass, y);
      return y.add(down.apply(pass, activation.apply(gate.apply(pass, g)).mul(up.apply(pass, g))));
    }

    private NDArray split(NDArray x, int n) {
      return x.reshape(x.getShape().get(0), x.getShape().get(1), n, size).transpose(0, 2, 1, 3);
    }

    /** Keys or values of a group repeated for each head that shares them. */
    private NDArray shared(NDArray x) {
      return groups == heads ? x : x.repeat(1, heads / groups);
    }

    @Override
    protected NDList compute(Pass pass, NDList in) {
      throw new UnsupportedOperationException("a layer computes as part of its model");
    }
  }
}
