package org.peft4j.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDManager;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Context;
import org.peft4j.spi.Pass;
import org.peft4j.tensor.Scalars;

/**
 * The rows that a stack of layers works on, with what came before them: new tokens, virtual tokens
 * of adapters in front of a text's start, keys that a {@link KvCache} holds. Masks and positions
 * are derived here, once for every model.
 */
public final class Sequence {
  private final Context context;
  private final @Nullable KvCache cache;
  private final @Nullable NDArray mask;
  private final @Nullable NDArray givenPositions;
  private final long length;
  private final long offset;
  private final long virtual;
  private final Map<Integer, Optional<NDArray>> causal = new HashMap<>();

  private Sequence(
      Context context,
      @Nullable KvCache cache,
      @Nullable NDArray mask,
      @Nullable NDArray positions,
      long length,
      long offset,
      long virtual) {
    this.context = context;
    this.cache = cache;
    this.mask = mask;
    this.givenPositions = positions;
    this.length = length;
    this.offset = offset;
    this.virtual = virtual;
  }

  /**
   * What {@code pass} makes of new tokens.
   *
   * @param ids int64 {@code [batch, length]}
   * @param mask 1 at tokens, 0 at padding, {@code [batch, earlier + length]} without virtual
   *     tokens; null where there is no padding
   * @param positions int64 {@code [batch, length]}; null to count from the start of every row, or,
   *     with a cache, to count what the mask leaves
   */
  public static Sequence of(
      Pass pass,
      NDArray ids,
      @Nullable NDArray mask,
      @Nullable NDArray positions,
      @Nullable KvCache cache) {
    return of(pass.promptTokens(), pass.prefixTokens(), ids, mask, positions, cache);
  }

  /** What {@code pass} makes of an encoder's text: virtual tokens in front, no prefix. */
  public static Sequence encoder(Pass pass, NDArray ids, @Nullable NDArray mask) {
    return of(pass.promptTokens(), 0, ids, mask, null, null);
  }

  /** What {@code pass} makes of the text that a decoder behind an encoder writes: a prefix only. */
  public static Sequence decoder(
      Pass pass, NDArray ids, @Nullable NDArray mask, @Nullable KvCache cache) {
    return of(0, pass.prefixTokens(), ids, mask, null, cache);
  }

  private static Sequence of(
      int prompt,
      int prefix,
      NDArray ids,
      @Nullable NDArray mask,
      @Nullable NDArray positions,
      @Nullable KvCache cache) {
    long past = cache == null ? 0 : cache.length();
    Context context =
        cache == null
            ? new Context(ids, mask, positions)
            : new Context(ids, mask, positions, past, new CacheMemory(cache));
    int virtual = prompt + prefix;
    long tokens = ids.getShape().get(1);
    long length = past == 0 ? tokens + prompt : tokens;
    long offset = past == 0 ? prefix : past;
    NDArray whole = mask;
    if (mask != null && virtual > 0) {
      Shape front = new Shape(ids.getShape().get(0), virtual);
      whole = mask.getManager().ones(front, mask.getDataType()).concat(mask, 1);
    }
    if (mask != null && whole != null && past > 0 && whole.getShape().get(1) != offset + length) {
      throw new IllegalArgumentException(
          "attention_mask\nexpected: a column for each of the "
              + (offset + length - virtual)
              + " tokens so far\nfound: "
              + mask.getShape());
    }
    return new Sequence(context, cache, whole, positions, length, offset, virtual);
  }

  public Context context() {
    return context;
  }

  public @Nullable KvCache cache() {
    return cache;
  }

  /** Number of rows: new tokens, and virtual ones at the start. */
  public long length() {
    return length;
  }

  /** Number of keys that a cache holds from before. */
  public long kept() {
    return cache == null ? 0 : cache.length();
  }

  /** Number of keys that the rows look at. */
  public long keys() {
    return offset + length;
  }

  /**
   * Number of keys, for those who compute with it in Java.
   *
   * @throws IllegalStateException while a graph is traced, which leaves it open
   */
  public long countedKeys() {
    if (traced()) {
      throw new IllegalStateException(
          "rotary positions of type dynamic depend on the length of the text, which a graph leaves"
              + " open\nfix: a configuration with rope_scaling of another type, such as linear or"
              + " yarn");
    }
    return keys();
  }

  /** Whether a graph is being traced, in which no length is known. */
  public boolean traced() {
    return !(manager() instanceof PtNDManager);
  }

  /** Refuses texts that are longer than a table of {@code limit} positions. */
  public void limit(long limit) {
    if (keys() > limit) {
      throw new IllegalArgumentException(
          "input_ids\nexpected: at most "
              + limit
              + " tokens per text\nfound: "
              + (keys() - virtual)
              + (virtual > 0 ? " and " + virtual + " virtual ones" : "")
              + "\nfix: truncate, for example tokenizer.maxLength("
              + limit
              + ")");
    }
  }

  /** Number of rows times texts. */
  public long batch() {
    return context.ids().getShape().get(0);
  }

  private NDManager manager() {
    return context.ids().getManager();
  }

  private NDArray range(long from, long to) {
    return manager().arange((int) from, (int) to, 1, DataType.INT64);
  }

  /**
   * Position of every row, int64 {@code [length]} where all texts have the same, else {@code
   * [batch, length]}.
   */
  public NDArray positions() {
    if (givenPositions != null) {
      return givenPositions;
    }
    return cache != null && mask != null ? counted(mask) : consecutive();
  }

  /**
   * Like {@link #positions}, but counted from a text's first token whatever padding there is,
   * without a cache too.
   */
  public NDArray ownPositions() {
    if (givenPositions != null) {
      return givenPositions;
    }
    return mask != null ? counted(mask) : consecutive();
  }

  private NDArray counted(NDArray mask) {
    NDArray counted = mask.toType(DataType.INT64, false).cumSum(1).sub(1);
    NDArray kept = counted.maximum(counted.zerosLike());
    return kept.get(":, {}:", offset);
  }

  private NDArray consecutive() {
    return offset == 0 ? range(0, length) : range(offset, offset + length);
  }

  /** How far every key lies behind a row, int64 {@code [length, keys]}; below 0 in front of it. */
  NDArray distances() {
    NDArray row = offset == 0 ? range(0, length) : range(offset, offset + length);
    return range(0, keys()).reshape(1, keys()).sub(row.reshape(length, 1));
  }

  /** {@code [batch, 1, 1, keys]}: 0 at tokens, a large negative number at padding; null if none. */
  public @Nullable NDArray paddingBias() {
    if (mask == null) {
      return null;
    }
    NDArray absent = mask.eq(0).toType(DataType.FLOAT32, false);
    return Scalars.mul(absent, -Float.MAX_VALUE).reshape(batch(), 1, 1, keys());
  }

  /** {@code [batch, length, 1]}: 1 at tokens, 0 at padding; null where there is none. */
  public @Nullable NDArray tokens() {
    if (mask == null) {
      return null;
    }
    NDArray own = offset == 0 ? mask : mask.get(":, {}:", offset);
    return own.toType(DataType.FLOAT32, false).reshape(batch(), length, 1);
  }

  /**
   * {@code [batch, 1, length, keys]}: like {@link #paddingBias}, where rows of padding see nothing,
   * which is to say all alike; null if there is no padding.
   */
  public @Nullable NDArray mutualPaddingBias() {
    NDArray own = tokens();
    if (mask == null || own == null) {
      return null;
    }
    NDArray hidden = mask.eq(0).reshape(batch(), 1, 1, keys());
    hidden = hidden.logicalOr(own.eq(0).reshape(batch(), 1, length, 1));
    return Scalars.mul(hidden.toType(DataType.FLOAT32, false), -Float.MAX_VALUE);
  }

  /**
   * {@code [batch or 1, 1, length, keys]}: 0 where a row may look (up to {@code reach} tokens to
   * either side), a large negative number elsewhere. Virtual tokens in front lie in the window as
   * other tokens do.
   */
  public NDArray windowBias(int reach) {
    NDArray hidden = distances().abs().gt(reach).reshape(1, 1, length, keys());
    if (mask != null) {
      hidden = hidden.logicalOr(mask.eq(0).reshape(batch(), 1, 1, keys()));
    }
    return Scalars.mul(hidden.toType(DataType.FLOAT32, false), -Float.MAX_VALUE);
  }

  /**
   * {@code [batch or 1, 1, length, keys]}: 0 where a row may look (itself and what came before it),
   * a large negative number elsewhere; null where a row may look everywhere.
   */
  public @Nullable NDArray causalBias() {
    return causalBias(0);
  }

  /**
   * Like {@link #causalBias()}, where a row sees at most the last {@code window} keys, itself
   * included; 0 for all. Virtual tokens in front lie in the window as other tokens do. Made once
   * per width.
   */
  public @Nullable NDArray causalBias(int window) {
    return causal.computeIfAbsent(window, w -> Optional.ofNullable(made(w))).orElse(null);
  }

  private @Nullable NDArray made(int window) {
    boolean wide = window == 0 || (cache != null && keys() <= window && !traced());
    if (mask == null && wide && length == 1 && cache != null) {
      return null;
    }
    NDArray row = offset == 0 ? range(0, length) : range(offset, offset + length);
    NDArray at = row.reshape(1, 1, length, 1);
    NDArray key = range(0, keys()).reshape(1, 1, 1, keys());
    NDArray hidden = key.gt(at);
    if (!wide && mask != null && cache != null) {
      // by what the mask leaves, as positions count: padding behind virtual tokens takes no place
      NDArray place = mask.toType(DataType.INT64, false).cumSum(1);
      NDArray own = place.get(":, {}:", offset).reshape(batch(), 1, length, 1);
      hidden = hidden.logicalOr(place.reshape(batch(), 1, 1, keys()).lte(own.sub(window)));
    } else if (!wide) {
      hidden = hidden.logicalOr(key.lte(at.sub(window)));
    }
    if (mask != null) {
      hidden = hidden.logicalOr(mask.eq(0).reshape(batch(), 1, 1, keys()));
    }
    return Scalars.mul(hidden.toType(DataType.FLOAT32, false), -Float.MAX_VALUE);
  }
}
