package org.peft4j.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.IntToLongFunction;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Init;
import org.peft4j.spi.Operation;
import org.peft4j.tensor.Buffers;

/** What methods with virtual tokens have in common. */
final class Virtual {
  static final String TOKENS = "num_virtual_tokens";

  /** What files call the virtual tokens' own tensor. */
  static final String EMBEDDINGS = "prompt_embeddings";

  private Virtual() {}

  static void check(int tokens) {
    if (tokens < 1) {
      throw new IllegalArgumentException(
          TOKENS + ": expected an integer of at least 1, found " + tokens);
    }
  }

  /**
   * The same rows for every text of a batch.
   *
   * @param x of the batch, {@code [batch, ...]}
   * @param rows {@code [k, width]}
   * @return {@code [batch, k, width]}
   */
  static NDArray forEach(NDArray x, NDArray rows) {
    Shape one = rows.getShape();
    return rows.expandDims(0).broadcast(x.getShape().get(0), one.get(0), one.get(1));
  }

  /** The embeddings of k tokens, {@code [k, hidden]}, for initialisers of hooks. */
  static NDArray rows(Init.Context c, int k, IntToLongFunction id) {
    long[] ids = new long[k];
    Arrays.setAll(ids, id);
    NDArray index = Buffers.create(c.manager(), ids, new Shape(k));
    return Operation.EMBEDDING.apply(index, c.w0(), null);
  }

  /**
   * Number of layers as Hugging Face counts: the encoder's, where there is one before a decoder.
   */
  static int layers(Anatomy model) {
    return model.stacks() == 1 ? model.layers() : model.paths().size() - model.layers();
  }

  /** Entries of every prompt method's file. */
  static Map<String, Object> sizes(Anatomy model, long width, int heads) {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("num_layers", layers(model));
    c.put("num_attention_heads", heads);
    c.put("num_transformer_submodules", model.stacks());
    c.put("token_dim", width);
    return c;
  }

  /** The constant of that name, or an error that lists them. */
  static <E extends Enum<E>> E oneOf(String key, String name, E[] all) {
    for (E e : all) {
      if (e.name().equals(name)) {
        return e;
      }
    }
    throw new IllegalArgumentException(
        key + "\nexpected: one of " + Arrays.toString(all) + "\nfound: " + name);
  }
}
