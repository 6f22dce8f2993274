package org.peft4j.hook;

import ai.djl.ndarray.NDArray;
import java.util.Map;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Context;
import org.peft4j.spi.Hook;
import org.peft4j.spi.KeysValues;
import org.peft4j.spi.Place;

/**
 * A method whose virtual tokens are keys and values in front of every text's own, in every layer.
 * Its file has them as {@code [k, layers 2 width]}: keys and values of the first layer, then of the
 * next.
 */
interface Prefix extends Hook {
  /** What files call the keys and values. */
  String EMBEDDINGS = Virtual.EMBEDDINGS;

  /** k, the number of virtual tokens. */
  int tokens();

  /** {@code [k, layers 2 width]}. */
  NDArray vectors(View view);

  /** Width of the keys of one layer. */
  static long width(Anatomy model) {
    return (long) model.groups() * model.headSize();
  }

  /** Width of the keys and values of all layers. */
  static long all(Anatomy model) {
    return 2L * Virtual.layers(model) * width(model);
  }

  @Override
  default int prefixTokens() {
    return tokens();
  }

  @Override
  default KeysValues keysValues(View view, Context context, Place at, KeysValues kv) {
    long first = row(view.model(), at);
    if (first < 0) {
      return kv;
    }
    NDArray all = vectors(view);
    return new KeysValues(cut(all, first, kv.keys()), cut(all, first + 1, kv.keys())).then(kv);
  }

  /**
   * The row of a layer's keys, or -1 where it has none. Of a model of two stacks the decoder's
   * attention to itself has them, and Hugging Face gives each of its layers four rows, of which the
   * first two act, beginning again from the first when the rows are used up.
   */
  private static long row(Anatomy model, Place at) {
    if (model.stacks() == 1) {
      return 2L * at.layer();
    }
    int own = at.layer() - Virtual.layers(model); // the encoder's layers are counted first
    return at.part() != Place.Part.SELF_ATTENTION || own < 0
        ? -1
        : 4L * own % (2L * Virtual.layers(model));
  }

  /** Row {@code n} for every text, {@code [batch, heads, k, size]}. */
  private static NDArray cut(NDArray all, long n, NDArray like) {
    long heads = like.getShape().get(1);
    long size = like.getShape().get(3);
    long tokens = all.getShape().get(0);
    NDArray own = all.get(":, {}:{}", n * heads * size, (n + 1) * heads * size);
    return own.reshape(1, tokens, heads, size)
        .transpose(0, 2, 1, 3)
        .broadcast(like.getShape().get(0), heads, tokens, size);
  }

  @Override
  default NDArray stored(View view, String tensor) {
    return vectors(view);
  }

  @Override
  default Map<String, Object> sizes(Anatomy model) {
    return Virtual.sizes(model, width(model), model.groups());
  }
}
