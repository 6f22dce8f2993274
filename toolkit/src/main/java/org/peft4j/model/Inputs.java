package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scalars;
import org.peft4j.text.Batch;

/**
 * A batch of token sequences, all int64 {@code [batch, length]}.
 *
 * @param mask 1 at tokens, 0 at padding
 * @param types segment of each token (0 or 1)
 */
public record Inputs(NDArray ids, NDArray mask, NDArray types) {
  /**
   * Reads ids, mask and types in this order; what is missing is ones for the mask and zeros for the
   * types.
   */
  public static Inputs of(NDList list) {
    if (list.isEmpty() || list.size() > 3) {
      throw new IllegalArgumentException(
          "inputs\nexpected: input_ids, attention_mask, token_type_ids (the last two may be left out)\nfound: "
              + list.size()
              + " arrays");
    }
    NDArray ids = list.get(0);
    if (ids.getShape().dimension() != 2) {
      throw new IllegalArgumentException(
          "input_ids\nexpected: [batch, length]\nfound: " + ids.getShape());
    }
    NDArray mask = list.size() > 1 ? list.get(1) : ids.onesLike();
    NDArray types = list.size() > 2 ? list.get(2) : ids.zerosLike();
    for (NDArray a : new NDArray[] {mask, types}) {
      if (!a.getShape().equals(ids.getShape())) {
        throw new IllegalArgumentException(
            "attention_mask and token_type_ids\nexpected: "
                + ids.getShape()
                + "\nfound: "
                + a.getShape());
      }
    }
    return new Inputs(ids, mask, types);
  }

  /** Arrays of a padded batch of tokens, in the order a model takes them. */
  public static NDList list(NDManager manager, Batch batch) {
    return new NDList(
        array(manager, batch.ids()),
        array(manager, batch.attentionMask()),
        array(manager, batch.typeIds()));
  }

  private static NDArray array(NDManager manager, long[][] rows) {
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

  /** Tokens per text. */
  long length() {
    return ids.getShape().get(1);
  }

  /**
   * {@code [batch, 1, 1, length]}: 0 where there is a token, a large negative number at padding.
   */
  NDArray paddingBias() {
    long b = ids.getShape().get(0);
    NDArray absent = mask.eq(0).toType(DataType.FLOAT32, false);
    return Scalars.mul(absent, -Float.MAX_VALUE).reshape(b, 1, 1, length());
  }

  /**
   * {@code [batch, 1, length, length]}: 0 where a position may look (itself and earlier tokens), a
   * large negative number elsewhere.
   */
  NDArray causalBias() {
    long b = ids.getShape().get(0);
    NDManager m = ids.getManager();
    NDArray at = m.arange(0, (int) length(), 1, DataType.INT64);
    NDArray later = at.reshape(1, 1, 1, length()).gt(at.reshape(1, 1, length(), 1));
    NDArray hidden = later.logicalOr(mask.eq(0).reshape(b, 1, 1, length()));
    return Scalars.mul(hidden.toType(DataType.FLOAT32, false), -Float.MAX_VALUE);
  }
}
