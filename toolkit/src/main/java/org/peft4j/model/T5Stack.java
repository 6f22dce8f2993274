package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.Embedding;
import org.peft4j.nn.Group;
import org.peft4j.nn.Layer;
import org.peft4j.nn.Projection;
import org.peft4j.nn.RelativePositions;
import org.peft4j.nn.RmsNorm;
import org.peft4j.nn.Sequence;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Place;
import org.peft4j.spi.Sublayer;

/**
 * T5's encoder or decoder: layers of self-attention, in a decoder attention to the encoder's
 * output, and a feed-forward part, each behind an RMS norm. The first layer's table of relative
 * positions serves all.
 */
final class T5Stack extends Layer {
  /**
   * What a decoder attends to.
   *
   * @param states the encoder's output {@code [B, S, hidden]}; null where a cache has its keys and
   *     values
   * @param bias {@code [B, 1, 1, S]}, or null where nothing is padding
   */
  record Memory(@Nullable NDArray states, @Nullable NDArray bias) {
    /** The encoder's output, which nobody asks for where a cache has what is made of it. */
    NDArray encoded() {
      if (states == null) {
        throw new IllegalStateException("the encoder has not run, and no cache holds its keys");
      }
      return states;
    }
  }

  private final T5Sizes sizes;
  private final boolean decodes;
  private final List<Block> blocks = new ArrayList<>();
  private final RelativePositions positions;
  private final RmsNorm norm;

  static T5Stack encoder(T5Sizes sizes, int layers) {
    return new T5Stack(sizes, false, layers, 0);
  }

  /** A decoder whose layers are counted from {@code before} on. */
  static T5Stack decoder(T5Sizes sizes, int layers, int before) {
    return new T5Stack(sizes, true, layers, before);
  }

  private T5Stack(T5Sizes sizes, boolean decodes, int layers, int before) {
    this.sizes = sizes;
    this.decodes = decodes;
    Group stack = addChildBlock("block", new Group());
    for (int i = 0; i < layers; i++) {
      String path = (decodes ? "decoder" : "encoder") + ".block." + i;
      blocks.add(
          stack.child(String.valueOf(i), new Block(new Place(path, before + i, Place.Part.LAYER))));
    }
    Embedding table = new Embedding(sizes.buckets(), sizes.heads(), null);
    blocks.get(0).attention.addTable(table);
    positions = new RelativePositions(table, sizes.buckets(), sizes.farthest(), !decodes);
    norm = addChildBlock("final_layer_norm", new RmsNorm(sizes.hidden(), sizes.epsilon()));
  }

  /** Module paths of the layers. */
  List<String> paths() {
    return blocks.stream().map(b -> b.at.path()).toList();
  }

  /** Hidden states of the rows with embeddings x {@code [B, T, hidden]}. */
  NDArray apply(Pass pass, Sequence sequence, NDArray x, @Nullable Memory memory) {
    NDArray bias = positions.bias(pass, sequence);
    NDArray hidden = decodes ? sequence.causalBias() : sequence.paddingBias();
    if (hidden != null) {
      bias = bias.add(hidden);
    }
    String name = decodes ? "decoder" : "encoder";
    NDArray y = pass.dropout(name + ".embeddings", sizes.dropout(), x);
    y = pass.entering(sequence.context(), y);
    for (Block block : blocks) {
      y = block.apply(pass, sequence, y, bias, memory);
    }
    return pass.dropout(name + ".output", sizes.dropout(), norm.apply(pass, y));
  }

  @Override
  protected NDList compute(Pass pass, NDList in) {
    throw new UnsupportedOperationException("a stack computes as part of its model");
  }

  private final class Block extends Layer {
    private final Place at;
    private final RmsNorm attentionNorm;
    private final T5Attention attention;
    private final @Nullable RmsNorm acrossNorm;
    private final @Nullable T5Attention across;
    private final RmsNorm feedNorm;
    private final @Nullable Projection gate;
    private final Projection up;
    private final Projection down;

    Block(Place at) {
      this.at = at;
      Group parts = addChildBlock("layer", new Group());
      Group own = parts.group("0");
      attention =
          own.child("SelfAttention", new T5Attention(sizes, at.at(Place.Part.SELF_ATTENTION)));
      attentionNorm = own.child("layer_norm", norm());
      if (decodes) {
        Group other = parts.group("1");
        across =
            other.child(
                "EncDecAttention", new T5Attention(sizes, at.at(Place.Part.CROSS_ATTENTION)));
        acrossNorm = other.child("layer_norm", norm());
      } else {
        across = null;
        acrossNorm = null;
      }
      Group last = parts.group(decodes ? "2" : "1");
      Group feed = last.group("DenseReluDense");
      int hidden = sizes.hidden();
      int inner = sizes.inner();
      boolean gated = sizes.gated();
      gate = gated ? feed.child("wi_0", new Projection(hidden, inner, false, "gate")) : null;
      up =
          feed.child(
              gated ? "wi_1" : "wi", new Projection(hidden, inner, false, gated ? "up" : "fc1"));
      down = feed.child("wo", new Projection(inner, hidden, false, gated ? "down" : "fc2"));
      feedNorm = last.child("layer_norm", norm());
    }

    private RmsNorm norm() {
      return new RmsNorm(sizes.hidden(), sizes.epsilon());
    }

    NDArray apply(Pass pass, Sequence sequence, NDArray x, NDArray bias, @Nullable Memory memory) {
      NDArray y =
          added(
              pass,
              sequence,
              Place.Part.SELF_ATTENTION,
              attention.toItself(pass, sequence, attentionNorm.apply(pass, x), bias),
              x);
      if (across != null && acrossNorm != null && memory != null) {
        NDArray a = across.to(memory, pass, sequence, acrossNorm.apply(pass, y));
        y = added(pass, sequence, Place.Part.CROSS_ATTENTION, a, y);
      }
      NDArray f = feed(pass, feedNorm.apply(pass, y));
      return pass.layer(
          sequence.context(), at, added(pass, sequence, Place.Part.FEED_FORWARD, f, y));
    }

    private NDArray added(
        Pass pass, Sequence sequence, Place.Part part, NDArray output, NDArray residual) {
      NDArray kept = pass.dropout(at.path() + "." + part + ".output", sizes.dropout(), output);
      return pass.sublayer(sequence.context(), at.at(part), new Sublayer(kept, residual));
    }

    private NDArray feed(Pass pass, NDArray x) {
      NDArray h = up.apply(pass, x);
      h =
          gate == null
              ? sizes.activation().apply(h)
              : sizes.activation().apply(gate.apply(pass, x)).mul(h);
      return down.apply(pass, pass.dropout(at.path() + ".inner", sizes.dropout(), h));
    }

    @Override
    protected NDList compute(Pass pass, NDList in) {
      throw new UnsupportedOperationException("a layer computes as part of its model");
    }
  }
}
