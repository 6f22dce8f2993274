package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.tensor.MersenneTwister;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Svd;

/**
 * TinyLoRA (Morris et al., arXiv 2602.04118): {@code W = W0 + B (v_1 P_1 + ... + v_u P_u) A}, A
 * {@code [r, in]} and B {@code [out, r]} the largest singular directions of W0, each with the root
 * of its singular value, P {@code [u, r, r]} random, v {@code [u]} = 0 at first and trained: one
 * for each site, or for several in a row.
 *
 * @param rank r, or as many as the weight has
 * @param numbers u
 * @param tying what part of the sites has no v of its own, in [0, 1]
 * @param projectionSeed seed of P, drawn from PyTorch's generator as Hugging Face does
 * @param saveProjection whether P is written to the file, or only its seed
 * @param dropout probability on the input of the branch
 */
public record TinyLora(
    @Key("r") int rank,
    @Key("u") int numbers,
    @Key("weight_tying") double tying,
    @Key("projection_seed") long projectionSeed,
    @Key("save_projection") boolean saveProjection,
    @Key("tinylora_dropout") double dropout)
    implements DropoutBranch {
  private static final String A = "tinylora_A";
  private static final String B = "tinylora_B";
  private static final String P = "tinylora_P";
  private static final String V = "tinylora_v.";

  /** Hugging Face's defaults: rank 2, 64 numbers for each site. */
  public TinyLora() {
    this(2, 64, 0, 42, true, 0);
  }

  public TinyLora {
    Checks.rank(rank);
    Checks.atLeast("u", 1, numbers);
    Checks.probability("dropout", dropout);
    if (!(tying >= 0 && tying <= 1)) {
      throw new IllegalArgumentException("weight_tying: expected a part in [0, 1], found " + tying);
    }
  }

  /** The method at the i-th site, with the v of its group. */
  private record Placed(TinyLora method, int index, int group) implements DropoutBranch {
    @Override
    public String name() {
      return method.name();
    }

    @Override
    public double dropout() {
      return method.dropout;
    }

    @Override
    public void declare(Site site, Declaration theta) {
      method.declare(site, theta, index);
    }

    @Override
    public NDArray delta(At at) {
      return method.delta(at, group);
    }
  }

  @Override
  public Map<String, Object> constants() {
    return Map.of("init_weights", true, "init_v_bound", 0.02);
  }

  @Override
  public boolean transposable() {
    return true;
  }

  private int groups(int sites) {
    return (int) Math.max(1, Math.rint(sites * (1 - tying)));
  }

  @Override
  public Map<Site, Reparam> plan(List<Site> sites) {
    int groups = groups(sites.size());
    int inEach = Math.max(1, sites.size() / groups);
    Map<Site, Reparam> plan = new LinkedHashMap<>();
    for (Site s : sites) {
      int i = plan.size();
      plan.put(s, new Placed(this, i, Math.min(i / inEach, groups - 1)));
    }
    return plan;
  }

  @Override
  public void declareShared(List<Site> sites, Declaration theta) {
    for (int g = 0; g < groups(sites.size()); g++) {
      theta.trained(V + g, new Shape(numbers), Init.ZEROS);
    }
  }

  @Override
  public void declare(Site site, Declaration theta) {
    declare(site, theta, 0);
  }

  private void declare(Site site, Declaration theta, int index) {
    long r = Math.min(rank, Math.min(site.in(), site.out()));
    theta.saved(
        A, new Shape(r, site.in()), (c, s) -> directions(c).vh().get(":{}", r).mul(roots(c, r)));
    theta.saved(
        B,
        new Shape(site.out(), r),
        (c, s) -> directions(c).u().get(":, :{}", r).mul(roots(c, r).transpose()));
    Init random =
        (c, s) ->
            Scalars.div(
                new MersenneTwister(projectionSeed + index).normal(c.manager(), s), Math.sqrt(r));
    if (saveProjection) {
      theta.saved(P, new Shape(numbers, r, r), random);
    } else {
      theta.derived(P, new Shape(numbers, r, r), random);
    }
  }

  private static Svd directions(Init.Context c) {
    return c.once("directions", () -> Svd.precise(c.w0()));
  }

  /** Roots of the singular values, {@code [r, 1]}. */
  private static NDArray roots(Init.Context c, long r) {
    return directions(c).s().get(":{}", r).sqrt().expandDims(1);
  }

  @Override
  public NDArray delta(At at) {
    return delta(at, 0);
  }

  private NDArray delta(At at, int group) {
    NDArray p = at.theta(P);
    long r = p.getShape().get(1);
    NDArray v = at.theta(V + group).reshape(1, numbers);
    NDArray inner = v.matMul(p.reshape(numbers, r * r)).reshape(r, r);
    return at.theta(B).matMul(inner).matMul(at.theta(A));
  }

  /** The options, for {@code Peft.tinyLora(model)}. */
  public static final class Options<R> extends Keyed.Options<TinyLora, Options<R>, R> {
    private Options(Draft<TinyLora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new TinyLora(), target));
    }

    /** r, at least 1; default 2. */
    public Options<R> rank(int rank) {
      return set("r", rank);
    }

    /** How many numbers are trained in each v; default 64. */
    public Options<R> numbers(int u) {
      return set("u", u);
    }

    /** What part of the sites has no v of its own, in [0, 1]: 1 for one v in all; default 0. */
    public Options<R> tying(double part) {
      return set("weight_tying", part);
    }
  }
}
