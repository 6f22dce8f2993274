package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Attending;

/**
 * Shifted sparse attention (Chen et al., arXiv 2309.12307, algorithm 1). The text is cut into
 * groups of G tokens, and a token sees those of its own group; for the second half of the heads the
 * text is first rolled by G/2, so that their groups join halves of two neighbours. One softmax over
 * {@code [batch * groups, heads, G, G]} takes the place of the one over {@code [batch, heads, T,
 * T]}.
 *
 * <p>Who sees whom inside of a group is what the model's own bias says (causality, padding, a
 * window), but for the group at the end of the rolled text: it holds the last G/2 tokens followed
 * by the first G/2, and is causal in that order, as in the paper, so those first tokens see the
 * end. A text whose length is no multiple of G counts as one padded to it.
 */
final class ShiftedAttention {
  private final Attending whole;
  private final int group;
  private final long batch;
  private final long tokens;
  private final long groups;

  private ShiftedAttention(Attending whole, int group) {
    this.whole = whole;
    this.group = group;
    Shape q = whole.q().getShape();
    this.batch = q.get(0);
    this.tokens = q.get(2);
    this.groups = (tokens + group - 1) / group;
  }

  /** In place of {@code whole}, whose rows and keys are the same tokens: {@code [B, H, T, d]}. */
  static NDArray of(Attending whole, int group) {
    return new ShiftedAttention(whole, group).attend();
  }

  private NDArray attend() {
    long heads = whole.q().getShape().get(1);
    Half plain = half(0, heads / 2, 0);
    Half rolled = half(heads / 2, heads, group / 2);
    UnaryOperator<NDArray> dropout = whole.dropout();
    if (dropout == null) {
      return unfolded(plain.folded.attend(), 0)
          .concat(unfolded(rolled.folded.attend(), group / 2), 1);
    }
    NDArray weights = dropout.apply(plain.weights().concat(rolled.weights(), 1));
    NDArray y = weights.matMul(plain.folded.v().concat(rolled.folded.v(), 1));
    return unfolded(slice(y, 1, 0, heads / 2), 0)
        .concat(unfolded(slice(y, 1, heads / 2, heads), group / 2), 1);
  }

  /** Some of the heads, every group a text of its own. */
  private record Half(Attending folded) {
    NDArray weights() {
      return folded.weights();
    }
  }

  private Half half(long from, long to, int shift) {
    NDArray bias = whole.bias();
    NDArray own = bias == null || bias.getShape().get(1) == 1 ? bias : slice(bias, 1, from, to);
    return new Half(
        new Attending(
            folded(slice(whole.q(), 1, from, to), shift),
            folded(slice(whole.k(), 1, from, to), shift),
            folded(slice(whole.v(), 1, from, to), shift),
            blocks(own, shift),
            whole.scale(),
            null,
            whole.cap()));
  }

  // ---- tokens

  private long padded() {
    return groups * group;
  }

  /** {@code [B, h, T, d]} rolled and cut: {@code [B groups, h, G, d]}. */
  private NDArray folded(NDArray x, int shift) {
    long h = x.getShape().get(1);
    long d = x.getShape().get(3);
    return rolled(lengthened(x, 2, 0), 2, shift)
        .reshape(batch, h, groups, group, d)
        .transpose(0, 2, 1, 3, 4)
        .reshape(batch * groups, h, group, d);
  }

  /** Undoes {@link #folded}. */
  private NDArray unfolded(NDArray y, int shift) {
    long h = y.getShape().get(1);
    long d = y.getShape().get(3);
    NDArray joined =
        y.reshape(batch, groups, h, group, d)
            .transpose(0, 2, 1, 3, 4)
            .reshape(batch, h, padded(), d);
    NDArray back = rolled(joined, 2, shift == 0 ? 0 : padded() - shift);
    return padded() == tokens ? back : slice(back, 2, 0, tokens);
  }

  /** With {@code value} behind the last token, up to a whole number of groups. */
  private NDArray lengthened(NDArray x, int axis, float value) {
    if (padded() == tokens) {
      return x;
    }
    Shape s = x.getShape();
    Shape more = s.slice(0, axis).add(padded() - tokens).addAll(s.slice(axis + 1));
    return x.concat(x.getManager().full(more, value, x.getDataType()), axis);
  }

  /** What stood at {@code by} comes first, what stood before it last. */
  private static NDArray rolled(NDArray x, int axis, long by) {
    return by == 0
        ? x
        : slice(x, axis, by, x.getShape().get(axis)).concat(slice(x, axis, 0, by), axis);
  }

  private static NDArray slice(NDArray x, int axis, long from, long to) {
    return x.get(new NDIndex().addAllDim(axis).addSliceDim(from, to));
  }

  // ---- who sees whom

  /**
   * The blocks of a bias {@code [b, h, T or 1, T]} along its diagonal, {@code [B groups, h, G or 1,
   * G]}; null where everybody sees everybody.
   */
  private @Nullable NDArray blocks(@Nullable NDArray bias, int shift) {
    NDArray own = bias;
    if (own == null) {
      if (padded() == tokens) {
        return null;
      }
      own = whole.q().getManager().zeros(new Shape(1, 1, 1, tokens), whole.q().getDataType());
    }
    boolean byRow = own.getShape().get(2) > 1;
    NDArray all = lengthened(own, 3, -Float.MAX_VALUE);
    all = byRow ? lengthened(all, 2, 0) : all;
    NDList blocks = new NDList();
    for (long at = shift; at + group <= padded(); at += group) {
      blocks.add(block(all, at, at + group, at, at + group));
    }
    if (shift > 0) {
      blocks.add(wrapped(all, shift));
    }
    NDArray stacked = NDArrays.stack(blocks, 1); // [b, groups, h, G or 1, G]
    if (stacked.getShape().get(0) < batch) {
      stacked = stacked.repeat(0, batch);
    }
    Shape s = stacked.getShape();
    return stacked.reshape(batch * groups, s.get(2), s.get(3), group);
  }

  private static NDArray block(NDArray bias, long row, long rows, long key, long keys) {
    NDArray some = bias.getShape().get(2) > 1 ? slice(bias, 2, row, rows) : bias;
    return slice(some, 3, key, keys);
  }

  /** The end of the text followed by its start, causally where the bias is. */
  private NDArray wrapped(NDArray bias, int shift) {
    long last = padded();
    long end = last - group + shift;
    if (bias.getShape().get(2) == 1) {
      return slice(bias, 3, end, last).concat(slice(bias, 3, 0, shift), 3);
    }
    NDArray endsSee = block(bias, end, last, end, last);
    Shape ahead = endsSee.getShape().slice(0, 3).add(shift);
    NDArray unseen = bias.getManager().full(ahead, -Float.MAX_VALUE, bias.getDataType());
    // the text's last row sees all of it but padding
    NDArray before = block(bias, tokens - 1, tokens, end, last).repeat(2, shift);
    NDArray startsSee = before.concat(block(bias, 0, shift, 0, shift), 3);
    return endsSee.concat(unseen, 3).concat(startsSee, 2);
  }
}
