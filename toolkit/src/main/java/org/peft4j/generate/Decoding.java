package org.peft4j.generate;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.Arrays;
import org.peft4j.adapter.PeftModel;
import org.peft4j.model.Inputs;
import org.peft4j.model.Network;
import org.peft4j.model.Pretrained;
import org.peft4j.nn.GrowingCache;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/**
 * A batch of texts being written: reads the prompts once, then one token per text and step, with
 * the keys and values of all earlier tokens in a cache. A causal model continues its prompts;
 * shorter ones are padded on the left. A model with an encoder reads its sources there, padded on
 * the right, and its decoder begins with a start token.
 */
final class Decoding implements Decoder {
  private final Block model;
  private final boolean padded;
  private final int border;
  private GrowingCache cache = new GrowingCache();
  private long[][] texts;
  private int rows;
  private long[][] mask;
  private long[][] sources = {};
  private long[][] first = {};

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
    border = border(model);
    texts = new long[rows][0];
    mask = new long[rows][0];
    for (int r = 0; r < rows; r++) {
      mask[r] = new long[longest - lengths[r]];
    }
  }

  private static int border(Block model) {
    Block base = model instanceof PeftModel adapted ? adapted.base() : model;
    return base instanceof Pretrained p ? p.keysHoldUntil() : 0;
  }

  /** Texts that continue {@code prompts}. */
  static Decoding continuing(Block model, long[][] prompts, long pad) {
    int[] lengths = Arrays.stream(prompts).mapToInt(p -> p.length).toArray();
    Decoding d =
        new Decoding(model, prompts.length, Arrays.stream(lengths).max().orElse(0), lengths);
    d.first = leftPadded(prompts, pad);
    return d;
  }

  /**
   * Texts that answer {@code sources}.
   *
   * @param start the token that the decoder begins with
   */
  static Decoding answering(Block model, long[][] sources, long pad, long start) {
    int longest = Arrays.stream(sources).mapToInt(p -> p.length).max().orElse(0);
    Decoding d = new Decoding(model, sources.length, 0, new int[sources.length]);
    d.sources = new long[sources.length][];
    d.mask = new long[sources.length][longest];
    for (int r = 0; r < sources.length; r++) {
      d.sources[r] = Arrays.copyOf(sources[r], longest);
      Arrays.fill(d.sources[r], sources[r].length, longest, pad);
      Arrays.fill(d.mask[r], 0, sources[r].length, 1);
    }
    d.first = new long[sources.length][1];
    Arrays.stream(d.first).forEach(row -> row[0] = start);
    return d;
  }

  @Override
  public float[][] begin() {
    return read(first);
  }

  @Override
  public void select(long[] chosen) {
    cache.select(chosen);
    rows = chosen.length;
    mask = rowsOf(mask, chosen);
    texts = rowsOf(texts, chosen);
    sources = sources.length == 0 ? sources : rowsOf(sources, chosen);
  }

  private static long[][] rowsOf(long[][] all, long[] chosen) {
    return Arrays.stream(chosen).mapToObj(r -> all[(int) r].clone()).toArray(long[][]::new);
  }

  /** At the first call, prompts padded on the left. */
  @Override
  public float[][] read(long[][] next) {
    long[][] ids = border == 0 || sources.length > 0 ? next : remembered(next);
    for (int r = 0; sources.length == 0 && r < rows; r++) {
      int from = mask[r].length;
      int total = cache.length() == 0 ? ids[r].length : from + next[r].length;
      long[] longer = Arrays.copyOf(mask[r], total);
      Arrays.fill(longer, from, total, 1);
      mask[r] = longer;
    }
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager manager = Torch.newManager()) {
            NDList in = inputs(manager, ids);
            PairList<String, Object> wishes = new PairList<>();
            wishes.add(Network.CACHE, cache);
            wishes.add(Network.LAST_ONLY, true);
            NDArray scores =
                model.forward(new ParameterStore(manager, false), in, false, wishes).get(0);
            return split(scores);
          }
        });
  }

  /** What to read now: all, where what is kept of it holds no longer. */
  private long[][] remembered(long[][] next) {
    for (int r = 0; r < rows; r++) {
      int from = texts[r].length;
      texts[r] = Arrays.copyOf(texts[r], from + next[r].length);
      System.arraycopy(next[r], 0, texts[r], from, next[r].length);
    }
    long kept = cache.length();
    if (kept == 0 || kept > border || kept + next[0].length <= border) {
      return next;
    }
    cache.close();
    cache = new GrowingCache();
    return texts;
  }

  private NDList inputs(NDManager manager, long[][] ids) {
    NDList in = new NDList();
    if (sources.length > 0) {
      in.add(Inputs.array(manager, sources));
      in.add(Inputs.array(manager, mask));
      in.add(Inputs.array(manager, ids));
      return in;
    }
    in.add(Inputs.array(manager, ids));
    if (padded) {
      in.add(Inputs.array(manager, mask));
    }
    return in;
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
