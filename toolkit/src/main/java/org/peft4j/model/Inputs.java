package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.KvCache;
import org.peft4j.nn.Sequence;
import org.peft4j.spi.Context;
import org.peft4j.spi.Pass;
import org.peft4j.tensor.Buffers;
import org.peft4j.text.Batch;

/**
 * What a model reads, by the names that Hugging Face gives its inputs. Token arrays are int64
 * {@code [batch, length]}.
 */
public final class Inputs {
  /** Name of an encoder's output {@code [batch, length, hidden]}, given instead of computed. */
  public static final String ENCODED = "encoder_hidden_states";

  private final Map<String, NDArray> arrays;
  private final @Nullable KvCache cache;
  private final boolean lastOnly;

  private Inputs(Map<String, NDArray> arrays, @Nullable KvCache cache, boolean lastOnly) {
    this.arrays = arrays;
    this.cache = cache;
    this.lastOnly = lastOnly;
  }

  /**
   * Reads arrays in the order of {@code names}; those at the end may be left out. An array that has
   * one of the names is taken for that input wherever it stands.
   */
  static Inputs of(List<String> names, NDList list, @Nullable KvCache cache, boolean lastOnly) {
    if (list.isEmpty() || list.size() > names.size()) {
      throw new IllegalArgumentException(
          "inputs\nexpected: "
              + String.join(", ", names)
              + " (all but the first may be left out)\nfound: "
              + list.size()
              + " arrays");
    }
    Map<String, NDArray> arrays = new LinkedHashMap<>();
    for (int i = 0; i < list.size(); i++) {
      String own = list.get(i).getName();
      String name = own != null && names.contains(own) ? own : names.get(i);
      if (arrays.put(name, list.get(i)) != null) {
        throw new IllegalArgumentException(
            "inputs\nexpected: each input once\nfound: " + name + " twice");
      }
    }
    Inputs in = new Inputs(arrays, cache, lastOnly);
    in.check();
    return in;
  }

  /** The tokens of {@code context} for another stack, which has its own cache. */
  static Inputs of(Context context, @Nullable KvCache cache) {
    Map<String, NDArray> arrays = new LinkedHashMap<>();
    arrays.put("input_ids", context.ids());
    if (context.mask() != null) {
      arrays.put("attention_mask", context.mask());
    }
    if (context.positions() != null) {
      arrays.put("position_ids", context.positions());
    }
    return new Inputs(arrays, cache, false);
  }

  private void check() {
    arrays.forEach(
        (name, a) -> {
          boolean tokens = name.endsWith("_ids") || name.endsWith("_mask");
          if (tokens && a.getShape().dimension() != 2) {
            throw new IllegalArgumentException(
                name + "\nexpected: [batch, length]\nfound: " + a.getShape());
          }
        });
    NDArray ids = arrays.get("input_ids");
    if (ids == null) {
      return;
    }
    boolean encoded = arrays.containsKey("decoder_input_ids");
    for (String name : List.of("attention_mask", "token_type_ids")) {
      NDArray a = arrays.get(name);
      boolean longer = cache != null && !encoded && name.equals("attention_mask");
      if (a != null
          && (longer
              ? a.getShape().get(0) != ids.getShape().get(0)
              : !a.getShape().equals(ids.getShape()))) {
        throw new IllegalArgumentException(
            name + "\nexpected: " + ids.getShape() + "\nfound: " + a.getShape());
      }
    }
  }

  /** Arrays of a padded batch of tokens, in the order a model takes them. */
  public static NDList list(NDManager manager, Batch batch) {
    return new NDList(
        array(manager, batch.ids()),
        array(manager, batch.attentionMask()),
        array(manager, batch.typeIds()));
  }

  /** An int64 array {@code [rows, width]}. */
  public static NDArray array(NDManager manager, long[][] rows) {
    int width = rows.length == 0 ? 0 : rows[0].length;
    return Buffers.create(
        manager,
        new Shape(rows.length, width),
        DataType.INT64,
        out -> {
          for (long[] row : rows) {
            for (long v : row) {
              out.putLong(v);
            }
          }
        });
  }

  /** The input of that name, or null if it was left out. */
  @Nullable NDArray get(String name) {
    return arrays.get(name);
  }

  /** The input of that name, which this model cannot do without. */
  NDArray require(String name) {
    NDArray a = arrays.get(name);
    if (a == null) {
      throw new IllegalArgumentException(
          name + "\nexpected: this input\nfound: only " + arrays.keySet());
    }
    return a;
  }

  /** {@code input_ids}. */
  public NDArray ids() {
    return require("input_ids");
  }

  /** {@code attention_mask}, or null where nothing is padding. */
  public @Nullable NDArray mask() {
    return get("attention_mask");
  }

  /** The keys and values of earlier tokens, or null. */
  @Nullable KvCache cache() {
    return cache;
  }

  /** Whether scores are wanted for the last row of every text only. */
  boolean lastOnly() {
    return lastOnly;
  }

  /** Tokens per text. */
  long length() {
    return ids().getShape().get(1);
  }

  /** The rows that a stack of layers works on. */
  Sequence sequence(Pass pass) {
    return Sequence.of(pass, ids(), mask(), get("position_ids"), cache);
  }
}
