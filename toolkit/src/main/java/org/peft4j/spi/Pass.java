package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.peft4j.tensor.Seed;

/**
 * One forward pass: where every weight of the model is fetched and applied, and therefore the one
 * place where adapters act. It is a DJL {@link ParameterStore}, so it travels through blocks that
 * know nothing of it; our own blocks call {@link #apply}. Models are never changed by an adapter:
 * two adapted models may share one base and run at the same time.
 */
public abstract class Pass extends ParameterStore {
  private final ParameterStore values;
  private final boolean training;

  protected Pass(ParameterStore values, boolean training) {
    super(values.getManager(), false);
    this.values = values;
    this.training = training;
  }

  /** The pass that {@code store} already is, or a plain one that only fetches parameters. */
  public static Pass of(ParameterStore store, boolean training) {
    return store instanceof Pass pass && pass.training == training
        ? pass
        : new Plain(store, training);
  }

  /** Whether dropout is on. */
  public final boolean training() {
    return training;
  }

  /** The value of one parameter in this pass. */
  public final NDArray value(Parameter parameter) {
    return getValue(parameter, getManager().getDevice(), training);
  }

  /** What the site that stores {@code frozen} computes on {@code x}, adapters included. */
  public abstract NDArray apply(Frozen frozen, NDArray x);

  /** Whether nothing is adapted, hooked or trained, so that layers may be computed as a whole. */
  public boolean isPlain() {
    return false;
  }

  /** The weight and bias that {@code frozen} effectively has, adapters included. */
  public abstract Weight effective(Frozen frozen);

  /** Randomness of this pass (already at the seed and the step). */
  public abstract Seed seed();

  /**
   * The tasks that the texts of the batch are for, for methods that tell them apart: one for all,
   * or one for each; empty where nobody said.
   */
  public List<Integer> tasks() {
    return List.of();
  }

  /** What a hook that looks ahead has made of a first pass; null in that one, and without one. */
  public @Nullable NDArray ahead() {
    return null;
  }

  /**
   * The number of the task of each text; the only one where there is one and nobody said.
   *
   * @param known number of tasks that there are
   * @param texts number of texts
   * @throws IllegalArgumentException when {@link #tasks} names others, or not one for each text
   */
  public final long[] tasks(int known, long texts) {
    List<Integer> said = tasks();
    List<Integer> given = said.isEmpty() && known == 1 ? List.of(0) : said;
    if (given.isEmpty() || given.stream().anyMatch(t -> t < 0 || t >= known)) {
      throw new IllegalArgumentException(
          "task\nexpected: numbers from 0 to "
              + (known - 1)
              + "\nfound: "
              + (given.isEmpty() ? "none" : given)
              + "\nfix: say which task texts are for by task(...)");
    }
    if (given.size() != 1 && given.size() != texts) {
      throw new IllegalArgumentException(
          "task\nexpected: one number, or one for each of "
              + texts
              + " texts\nfound: "
              + given
              + "\nfix: where there is one weight for all texts, as in merging, name one task");
    }
    long[] all = new long[Math.toIntExact(texts)];
    Arrays.setAll(all, i -> given.get(given.size() == 1 ? 0 : i));
    return all;
  }

  // ---- where hooks act; a pass without them leaves everything as it is

  /** Number of virtual tokens that {@link #embeddings} puts in front of a text. */
  public int promptTokens() {
    return 0;
  }

  /** Number of virtual tokens that {@link #keysValues} puts in front of a text's own. */
  public int prefixTokens() {
    return 0;
  }

  /** Whether {@link #keysValues} and {@link #attention} leave everything as it is. */
  public boolean leavesAttention() {
    return true;
  }

  /** Token embeddings {@code [batch, length, hidden]}, virtual tokens included. */
  public NDArray embeddings(Context context, NDArray x) {
    return x;
  }

  /** Hidden states in front of the first layer of a stack. */
  public NDArray entering(Context context, NDArray h) {
    return h;
  }

  /**
   * Last hidden states {@code [batch, length, hidden]} by what adapters have beside the model's
   * layers, for this pass to go on with; null where the layers make them.
   */
  public @Nullable NDArray detached(Supplier<Context> context) {
    return null;
  }

  /** Keys and values of one layer, virtual tokens included. */
  public KeysValues keysValues(Context context, Place at, KeysValues kv) {
    return kv;
  }

  /** One attention, {@code [B, H, T, d]}. */
  public NDArray attention(Context context, Place at, Attending a) {
    return a.attend();
  }

  /** What the model goes on with after a sublayer. */
  public NDArray sublayer(Context context, Place at, Sublayer s) {
    return s.sum();
  }

  /** What the model goes on with after a layer. */
  public NDArray layer(Context context, Place at, NDArray h) {
    return h;
  }

  /** What this pass works on; null before a model has told it, and in blocks of others. */
  public @Nullable Context context() {
    return null;
  }

  /** What {@code make} gives, made once for each {@link #context}. */
  public NDArray once(String name, Supplier<NDArray> make) {
    return make.get();
  }

  /** x with some elements zeroed and the others scaled up, in training; else x itself. */
  public final NDArray dropout(String site, double p, NDArray x) {
    if (!training || p == 0) {
      return x;
    }
    return x.mul(seed().at(site).dropoutMask(x.getManager(), x.getShape(), p));
  }

  /** Where values that this pass does not replace come from. */
  protected final ParameterStore values() {
    return values;
  }

  private static final class Plain extends Pass {
    Plain(ParameterStore values, boolean training) {
      super(values, training);
    }

    @Override
    public boolean isPlain() {
      return !training();
    }

    @Override
    public NDArray getValue(Parameter parameter, ai.djl.Device device, boolean training) {
      return values().getValue(parameter, device, training);
    }

    @Override
    public NDArray apply(Frozen frozen, NDArray x) {
      return frozen.apply(this, x, frozen.bias(this));
    }

    @Override
    public Weight effective(Frozen frozen) {
      return new Weight(frozen.weight(this), frozen.bias(this));
    }

    @Override
    public Seed seed() {
      return Seed.of(0);
    }
  }
}
