package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Seed;

/**
 * When a method starts over in training, and what happens then: its effect is added to a dense
 * matrix D in the shape of the weight, which is not trained, so that {@code W = W0 + D + effect};
 * its trained tensors get new first values; the optimizer forgets most of their moments; and their
 * learning rate rises anew, linearly up to the run's own schedule. W0 stays as it is.
 *
 * @param every updates from one restart to the next; 0 for a quarter of the run
 * @param warmup share of these updates in which the learning rate rises again, in [0, 1)
 * @param prune share of the moments to forget, in [0, 1]
 */
public record Restarts(int every, double warmup, double prune) {
  /** D. */
  static final String MERGED = "merged.weight";

  private static final int PHASES = 4;

  /** Three restarts in a run, a tenth of warm-up, 99 % of the moments forgotten. */
  public Restarts() {
    this(0, 0.1, 0.99);
  }

  public Restarts {
    if (every < 0) {
      throw new IllegalArgumentException(
          "restart_every: expected a number of updates, or 0 for a quarter of the run, found "
              + every);
    }
    Checks.probability("restart_warmup", warmup);
    if (!(prune >= 0 && prune <= 1)) {
      throw new IllegalArgumentException(
          "optimizer_magnitude_pruning: expected a share in [0, 1], found " + prune);
    }
  }

  Restarts withEvery(int steps) {
    return new Restarts(steps, warmup, prune);
  }

  Restarts withWarmup(double share) {
    return new Restarts(every, share, prune);
  }

  Restarts withPrune(double share) {
    return new Restarts(every, warmup, share);
  }

  // ---- the weight

  void declare(Site site, Declaration theta) {
    theta.accumulated(MERGED, site.shape(), Init.ZEROS);
  }

  /** {@code D + effect}. */
  static NDArray delta(At at, NDArray effect) {
    return at.theta(MERGED).add(effect);
  }

  /** {@code x D^T + effect}, where {@code effect} is that on the output. */
  static NDArray branch(At at, NDArray x, NDArray effect) {
    return at.map(x, at.theta(MERGED), null).add(effect);
  }

  /** {@code x (W0 + D)^T + b0}: a sum of weights costs less than a second product. */
  static NDArray base(At at, NDArray x) {
    NDArray d = at.theta(MERGED);
    return at.site().kind() == Kind.EMBEDDING
        ? at.frozen(x).add(at.map(x, d, null)) // of some rows, not of the whole table
        : at.map(x, at.w0().add(d), at.b0());
  }

  // ---- the schedule

  private long length(long total) {
    return every > 0 ? every : Math.max(1, (total + PHASES - 1) / PHASES);
  }

  /** Whether there is a restart after this step; after the last one it would be of no use. */
  boolean due(long step, long total) {
    return step % length(total) == 0 && step < total;
  }

  /** {@code 1 / n, 2 / n, ... 1} in the n steps after a restart, then 1. */
  double learningRateFactor(long step, long total) {
    long before = step - 1;
    long since = before % length(total);
    long rising = Math.round(warmup * length(total));
    boolean restarted = before >= length(total); // the run's own warm-up is not repeated
    return restarted && since < rising ? (since + 1.0) / rising : 1;
  }

  double droppedMoments(long step, long total) {
    return due(step, total) ? prune : 0;
  }

  /** Moves what {@code method} does at a site into D and gives its tensors new first values. */
  static void restart(At at, Additive method) {
    Buffers.copy(method.delta(at), at.theta(MERGED));
    Declaration theta = new Declaration();
    method.declare(at.site(), theta);
    for (Declaration.Entry e : theta.entries()) {
      if (e.role() == Declaration.Role.TRAINED) {
        set(at, e.name(), e.init().make(new First(at, e.name()), e.shape()));
      }
    }
  }

  /** Overwrites a tensor. */
  static void set(At at, String tensor, NDArray value) {
    NDArray old = at.theta(tensor);
    Buffers.copy(value.toType(old.getDataType(), false), old);
  }

  /** Randomness of one tensor at one restart. */
  static Seed seed(At at, String tensor) {
    return at.pass().seed().at(at.site().path()).at(tensor);
  }

  private record First(At at, String tensor) implements Init.Context {
    @Override
    public NDManager manager() {
      return at.theta(MERGED).getManager();
    }

    @Override
    public Seed seed() {
      return Restarts.seed(at, tensor);
    }

    @Override
    public NDArray w0() {
      return at.w0();
    }

    @Override
    public NDArray b0() {
      @Nullable NDArray b0 = at.b0();
      return Objects.requireNonNull(b0);
    }

    @Override
    public <T> T once(String name, Supplier<T> value) {
      return value.get();
    }
  }

  // ---- the file

  /** The entries of {@code config} and those of the restarts. */
  Map<String, Object> toConfig(Map<String, Object> config) {
    Map<String, Object> c = new LinkedHashMap<>(config);
    c.put("restart_every", every);
    c.put("restart_warmup", warmup);
    c.put("optimizer_magnitude_pruning", prune);
    return c;
  }

  static Restarts fromConfig(Entries c) {
    return new Restarts(
        c.integer("restart_every", 0),
        c.number("restart_warmup", 0.1),
        c.number("optimizer_magnitude_pruning", 0.99));
  }

  String summary() {
    return every == 0 ? "restarts each quarter of the run" : "restarts every " + every + " steps";
  }
}
