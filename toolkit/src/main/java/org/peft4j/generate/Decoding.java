package org.peft4j.generate;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.Arrays;
import org.peft4j.model.Inputs;
import org.peft4j.model.Network;
import org.peft4j.nn.KvCache;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/**
 * A batch of texts being continued: reads the prompts once, then one token per text and step, with
 * the keys and values of all earlier tokens in a cache. Shorter prompts are padded on the left.
 */
final class Decoding implements AutoCloseable {
  private final Block model;
  private final KvCache cache = new KvCache();
  private final int rows;
  private final boolean padded;
  private long[][] mask;

  /**
   * Texts to be continued.
   *
   * @param model takes {@code input_ids} and {@code attention_mask}
   * @param rows number of texts
   */
  Decoding(Block model, int rows, int longest, int[] lengths) {
    this.model = model;
    this.rows = rows;
    this.padded = Arrays.stream(lengths).anyMatch(n -> n != longest);
    mask = new long[rows][0];
    for (int r = 0; r < rows; r++) {
      mask[r] = new long[longest - lengths[r]];
    }
  }

  /**
   * Reads new tokens.
   *
   * @param ids {@code [rows][n]}; at the first call the prompts, padded on the left
   * @return scores of the token after the last, {@code [rows][vocabulary]}
   */
  float[][] read(long[][] ids) {
    for (int r = 0; r < rows; r++) {
      int from = mask[r].length;
      boolean first = cache.length() == 0;
      int total = first ? ids[r].length : from + ids[r].length;
      long[] longer = Arrays.copyOf(mask[r], total);
      Arrays.fill(longer, from, total, 1);
      mask[r] = longer;
    }
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager manager = Torch.newManager()) {
            NDList in = new NDList(Inputs.array(manager, ids));
            if (padded) {
              in.add(Inputs.array(manager, mask));
            }
            PairList<String, Object> wishes = new PairList<>();
            wishes.add(Network.CACHE, cache);
            wishes.add(Network.LAST_ONLY, true);
            NDArray scores =
                model.forward(new ParameterStore(manager, false), in, false, wishes).get(0);
            return split(scores);
          }
        });
  }

  private float[][] split(NDArray scores) {
    float[] flat = scores.toFloatArray();
    int width = flat.length / rows;
    float[][] out = new float[rows][];
    for (int r = 0; r < rows; r++) {
      out[r] = Arrays.copyOfRange(flat, r * width, (r + 1) * width);
    }
    return out;
  }

  @Override
  public void close() {
    cache.close();
  }

  /** Rows of ids padded on the left to the longest. */
  static long[][] leftPadded(long[][] prompts, long pad) {
    int longest = Arrays.stream(prompts).mapToInt(p -> p.length).max().orElse(0);
    long[][] out = new long[prompts.length][];
    for (int r = 0; r < prompts.length; r++) {
      long[] row = new long[longest];
      int gap = longest - prompts[r].length;
      Arrays.fill(row, 0, gap, pad);
      System.arraycopy(prompts[r], 0, row, gap, prompts[r].length);
      out[r] = row;
    }
    return out;
  }
}
