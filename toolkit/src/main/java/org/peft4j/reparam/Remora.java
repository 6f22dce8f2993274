package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntUnaryOperator;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;

/**
 * ReMoRA (Jiang et al., arXiv 2405.12130): MoRA that starts over. {@code W = W0 + D + effect(M)};
 * at each restart {@code D += effect(M)} and {@code M = 0}. M's effect is linear in M, so the same
 * operators again would reach nothing new: the authors alternate between ways of grouping, here
 * inputs and outputs get a new random order at each restart, with any operator. The first phase is
 * MoRA's. D {@code [out, in]} is saved with the adapter.
 *
 * @param mora what is trained between restarts
 */
public record Remora(Mora mora, Restarts restarts) implements Restarting {
  /** Which input stands where the operator takes its i-th. */
  private static final String IN = "remora_in";

  /** Which of the operator's outputs is the i-th. */
  private static final String OUT = "remora_out";

  /** MoRA's and the restarts' defaults. */
  public Remora() {
    this(new Mora(), new Restarts());
  }

  @Override
  public String name() {
    return "remora";
  }

  @Override
  public String peftType() {
    return "REMORA";
  }

  @Override
  public Set<Kind> kinds() {
    return mora.kinds();
  }

  @Override
  public void declare(Site site, Declaration theta) {
    mora.declare(site, theta);
    restarts.declare(site, theta);
    theta.accumulated(IN, new Shape(site.in()), (c, shape) -> order(c.manager(), shape, i -> i));
    theta.accumulated(OUT, new Shape(site.out()), (c, shape) -> order(c.manager(), shape, i -> i));
  }

  private static NDArray order(NDManager manager, Shape shape, IntUnaryOperator which) {
    return Buffers.create(
        manager,
        shape,
        DataType.FLOAT32,
        out -> {
          for (int i = 0; i < shape.size(); i++) {
            out.putFloat(which.applyAsInt(i));
          }
        });
  }

  private NDArray effect(At at, NDArray x) {
    NDArray y = mora.branch(at, ordered(x, at.theta(IN)));
    return ordered(y, at.theta(OUT));
  }

  private static NDArray ordered(NDArray x, NDArray order) {
    NDArray rows = x.reshape(-1, order.size());
    NDArray columns = order.toType(DataType.INT64, false).broadcast(rows.getShape());
    return rows.gather(columns, 1).reshape(x.getShape()); // its gradient costs far less than get's
  }

  @Override
  public NDArray delta(At at) {
    return Restarts.delta(at, Mora.onUnits(at, units -> effect(at, units)));
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    return Restarts.branch(at, x, effect(at, x));
  }

  @Override
  public NDArray forward(At at, NDArray x) {
    return Restarts.base(at, x).add(effect(at, x));
  }

  @Override
  public void afterStep(List<At> sites, long step, long total) {
    if (restarts.due(step, total)) {
      for (At at : sites) {
        Restarts.restart(at, this);
        shuffle(at, IN);
        shuffle(at, OUT);
      }
    }
  }

  private static void shuffle(At at, String tensor) {
    NDArray old = at.theta(tensor);
    int[] which = Restarts.seed(at, tensor).permutation((int) old.size());
    Restarts.set(at, tensor, order(old.getManager(), old.getShape(), i -> which[i]));
  }

  @Override
  public Map<String, Object> toConfig() {
    return restarts.toConfig(mora.toConfig());
  }

  static Remora fromConfig(Entries c) {
    return new Remora(Mora.fromConfig(c), Restarts.fromConfig(c));
  }

  @Override
  public String summary() {
    return mora.summary() + ", " + restarts.summary();
  }

  /** The options, for {@code Peft.remora(model)}. */
  public static final class Options<R> extends Fluent<Remora, Options<R>, R> {
    private Options(Draft<Remora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Remora(), target));
    }

    private Options<R> with(Mora mora) {
      return with(new Remora(mora, tuner().restarts));
    }

    private Options<R> with(Restarts restarts) {
      return with(new Remora(tuner().mora, restarts));
    }

    /** r of the LoRA whose number of parameters M has; default 8. */
    public Options<R> rank(int rank) {
      return with(new Mora(rank, tuner().mora.operator()));
    }

    /** How inputs are compressed; default rotation. */
    public Options<R> operator(Mora.Operator operator) {
      return with(new Mora(tuner().mora.rank(), operator));
    }

    /** Updates from one restart to the next; default a quarter of the run. */
    public Options<R> every(int steps) {
      return with(tuner().restarts.withEvery(steps));
    }

    /** Share of these updates in which the learning rate rises again; default 0.1. */
    public Options<R> warmup(double share) {
      return with(tuner().restarts.withWarmup(share));
    }

    /** Share of the optimizer's moments to forget at a restart, the smallest; default 0.99. */
    public Options<R> prune(double share) {
      return with(tuner().restarts.withPrune(share));
    }
  }
}
