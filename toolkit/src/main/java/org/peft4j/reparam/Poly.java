package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.Map;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Init;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Seed;

/**
 * Poly (Ponti et al., arXiv 2202.13914) and, with several splits, MHR (Caccia et al., arXiv
 * 2211.03831): {@code W = W0 + (A B)^T / r}, A {@code [in, r]} and B {@code [r, out]} mixed for
 * each task from n skills, by one row of logits for each split of the inputs and outputs. In
 * training the weights of the mixture are drawn around {@code sigmoid(logits)}, else they are that;
 * either way they sum to 1. Which task a text is for is said to the model.
 *
 * @param rank r
 * @param tasks number of tasks
 * @param skills n
 * @param splits a divisor of inputs and outputs
 */
public record Poly(
    @Key("r") int rank,
    @Key("n_tasks") int tasks,
    @Key("n_skills") int skills,
    @Key("n_splits") int splits)
    implements Additive, Keyed {
  private static final String A = "poly_lora_A";
  private static final String B = "poly_lora_B";
  private static final String LOGITS = "poly_router.module_logits";

  /** Hugging Face's defaults: 4 skills of rank 8, one task. */
  public Poly() {
    this(8, 1, 4, 1);
  }

  public Poly {
    Checks.rank(rank);
    Checks.atLeast("n_tasks", 1, tasks);
    Checks.atLeast("n_skills", 1, skills);
    Checks.atLeast("n_splits", 1, splits);
  }

  static Poly fromConfig(Entries c) {
    Keyed.require(c, "poly_type", "poly");
    return Keyed.read(new Poly(), c);
  }

  @Override
  public Map<String, Object> constants() {
    return Map.of("init_weights", true, "poly_type", "poly");
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public void declare(Site site, Declaration theta) {
    Checks.divides("n_splits", splits, "inputs of " + site.path(), site.in());
    Checks.divides("n_splits", splits, "outputs of " + site.path(), site.out());
    long in = site.in() / splits;
    theta.trained(A, new Shape(splits, skills, in, rank), Init.uniform(1 / Math.sqrt(in)));
    theta.trained(B, new Shape(splits, skills, rank, site.out() / splits), Init.ZEROS);
    theta.trained(LOGITS, new Shape(tasks, (long) splits * skills), Init.uniform(1e-3));
  }

  /** What each skill counts for n texts, {@code [splits, n, skills]}. */
  private NDArray weights(At at, long n) {
    long[] of = at.pass().tasks(tasks, n);
    NDArray logits = at.theta(LOGITS);
    NDArray ids = Buffers.create(logits.getManager(), of, new Shape(n));
    NDArray rows = Operation.EMBEDDING.apply(ids, logits, null).reshape(n, splits, skills);
    if (at.pass().training()) {
      Seed seed = at.pass().seed().at(at.site().path()).at("poly");
      NDArray u = seed.uniform(rows.getManager(), rows.getShape(), 1e-6, 1 - 1e-6);
      NDArray odds = u.div(u.onesLike().sub(u)).log();
      rows = rows.add(odds.toType(rows.getDataType(), false));
    }
    NDArray parts = rows.getNDArrayInternal().sigmoid();
    NDArray sums = parts.sum(new int[] {-1}, true);
    return parts.div(sums.add(Scalars.of(sums, 1e-12))).transpose(1, 0, 2);
  }

  /** Skills {@code [splits, skills, a, b]} mixed, {@code [splits, n, a, b]}. */
  private static NDArray mixed(NDArray weights, NDArray skills) {
    Shape s = skills.getShape();
    NDArray flat = skills.reshape(s.get(0), s.get(1), s.get(2) * s.get(3));
    long n = weights.getShape().get(1);
    return weights.matMul(flat).reshape(s.get(0), n, s.get(2), s.get(3));
  }

  /** A for each text, {@code [n, in, r]}. */
  private NDArray in(At at, NDArray weights) {
    return mixed(weights, at.theta(A)).transpose(1, 0, 2, 3).reshape(-1, at.site().in(), rank);
  }

  /** B for each text, {@code [n, r, out]}, over r. */
  private NDArray out(At at, NDArray weights) {
    NDArray b = mixed(weights, at.theta(B)).transpose(1, 2, 0, 3);
    return Scalars.div(b.reshape(-1, rank, at.site().out()), rank);
  }

  @Override
  public NDArray delta(At at) {
    NDArray weights = weights(at, 1);
    return in(at, weights).matMul(out(at, weights)).squeeze(0).transpose();
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    if (!at.pass().training() && at.pass().tasks().size() < 2) {
      return Additive.super.branch(at, x);
    }
    long n = x.getShape().get(0);
    NDArray weights = weights(at, n);
    NDArray tokens = x.reshape(n, -1, at.site().in());
    NDArray y = tokens.matMul(in(at, weights)).matMul(out(at, weights));
    return y.reshape(x.getShape().slice(0, x.getShape().dimension() - 1).add(at.site().out()));
  }

  @Override
  public String summary() {
    return "rank "
        + rank
        + ", "
        + skills
        + " skills"
        + (splits > 1 ? ", " + splits + " splits" : "")
        + (tasks > 1 ? ", " + tasks + " tasks" : "");
  }

  /** The options, for {@code Peft.poly(model)}. */
  public static final class Options<R> extends Keyed.Options<Poly, Options<R>, R> {
    private Options(Draft<Poly, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Poly(), target));
    }

    /** r of each skill, at least 1; default 8. */
    public Options<R> rank(int rank) {
      return set("r", rank);
    }

    /** Number of tasks; default 1. */
    public Options<R> tasks(int n) {
      return set("n_tasks", n);
    }

    /** Number of skills that are mixed; default 4. */
    public Options<R> skills(int n) {
      return set("n_skills", n);
    }

    /** In how many parts inputs and outputs are mixed on their own; default 1. */
    public Options<R> splits(int n) {
      return set("n_splits", n);
    }
  }
}
