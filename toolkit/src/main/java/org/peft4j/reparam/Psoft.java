package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Svd;

/**
 * PSOFT (Wu et al., arXiv 2505.11235): {@code W = W0 + s B (diag(b) R diag(a) - I) A}, A {@code [r,
 * in]} and B {@code [out, r]} the r largest singular directions of W0, R {@code [r, r]} orthogonal
 * and I at first, of a skew-symmetric Q as {@code (I + Q) (I - Q)^-1}, a and b {@code [r]} = 1 at
 * first; {@code s = alpha / r}, which B takes back.
 *
 * <p>Files of Hugging Face's have no A and B: they are computed again, and the sign of a singular
 * direction, which turns R into another one, is up to the processor. Files that are written here
 * have them.
 *
 * @param rank r, or as many as the smallest of the weights has
 * @param alpha numerator of the scale
 * @param dropout probability on the input of the branch
 * @param start how the singular values are shared between A and B
 * @param orthogonal whether R is kept orthogonal
 * @param outGains whether there is a b
 * @param inGains whether there is an a
 * @param neumann whether a series stands for the inverse
 * @param terms of the series
 * @param bound what the norm of Q is held to for the series, or null
 */
public record Psoft(
    @Key("r") int rank,
    @Key("psoft_alpha") double alpha,
    @Key("psoft_dropout") double dropout,
    @Key("ab_svd_init") Start start,
    @Key("psoft_orth") boolean orthogonal,
    @Key("psoft_mag_b") boolean outGains,
    @Key("psoft_mag_a") boolean inGains,
    @Key("use_cayley_neumann") boolean neumann,
    @Key("num_cayley_neumann_terms") int terms,
    @Key("cayley_neumann_eps") @Nullable Double bound)
    implements DropoutBranch {
  private static final String A = "psoft_A";
  private static final String B = "psoft_B";
  private static final String R = "psoft_R.weight";
  private static final String OUT_GAINS = "psoft_R.vector_b";
  private static final String IN_GAINS = "psoft_R.vector_a";

  /** How the singular values are shared between A and B. */
  public enum Start {
    /** B has them, and the rows of A are orthonormal. */
    PSOFT,
    /** Each has their roots, as in PiSSA. */
    PISSA;

    @Override
    public String toString() {
      return this == PSOFT ? "psoft_init" : "pissa_init";
    }
  }

  /** Hugging Face's defaults: rank 32, alpha 32, both gains. */
  public Psoft() {
    this(32, 32, 0, Start.PSOFT, true, true, true, false, 5, null);
  }

  public Psoft {
    Checks.rank(rank);
    Checks.finite("psoft_alpha", alpha);
    Checks.probability("dropout", dropout);
    Checks.atLeast("num_cayley_neumann_terms", 1, terms);
    if (!(alpha > 0)) {
      throw new IllegalArgumentException("psoft_alpha: expected a positive number, found " + alpha);
    }
  }

  static Psoft fromConfig(Entries c) {
    Keyed.require(c, "psoft_svd", "full");
    return Keyed.read(new Psoft(), c);
  }

  @Override
  public Map<String, Object> constants() {
    return Map.of(
        "init_weights", true, "psoft_svd", "full", "psoft_svd_lowrank_niter", 10, "random_seed", 0);
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public Psoft sized(List<Site> sites) {
    long least = sites.stream().mapToLong(s -> Math.min(s.in(), s.out())).min().orElse(rank);
    return least >= rank ? this : Keys.with(this, "r", (int) least);
  }

  private double scale() {
    return alpha / rank;
  }

  @Override
  public void declare(Site site, Declaration theta) {
    Checks.atMost("r", site.path(), Math.min(site.in(), site.out()), rank);
    if (orthogonal) {
      theta.trained(R, new Shape(Cayley.entries(rank)), Init.ZEROS);
    } else {
      theta.trained(R, new Shape(rank, rank), (c, s) -> c.manager().eye(rank));
    }
    if (outGains) {
      theta.trained(OUT_GAINS, new Shape(rank), Init.ONES);
    }
    if (inGains) {
      theta.trained(IN_GAINS, new Shape(rank), Init.ONES);
    }
    theta.optional(
        A,
        new Shape(rank, site.in()),
        (c, s) -> {
          NDArray rows = svd(c).vh().get(":{}", rank);
          return start == Start.PISSA ? rows.mul(strengths(c).sqrt().expandDims(1)) : rows;
        });
    theta.optional(
        B,
        new Shape(site.out(), rank),
        (c, s) -> {
          NDArray strengths = start == Start.PISSA ? strengths(c).sqrt() : strengths(c);
          return svd(c).u().get(":, :{}", rank).mul(strengths);
        });
  }

  /** As Hugging Face decomposes it, so that signs are the same on the same processor. */
  private static Svd svd(Init.Context c) {
    return c.once("directions", () -> Svd.of(c.w0()));
  }

  private NDArray strengths(Init.Context c) {
    return Scalars.div(svd(c).s().get(":{}", rank), scale());
  }

  /** {@code s (diag(b) R diag(a) - I)}. */
  private NDArray change(At at) {
    NDArray r = at.theta(R);
    if (orthogonal) {
      NDArray q = Cayley.skew(r.expandDims(0), rank);
      r = (neumann ? Cayley.neumann(within(q), terms) : Cayley.exact(q.neg())).squeeze(0);
    }
    r = outGains ? r.mul(at.theta(OUT_GAINS).expandDims(1)) : r;
    r = inGains ? r.mul(at.theta(IN_GAINS)) : r;
    return Scalars.mul(r.sub(r.getManager().eye(rank).toType(r.getDataType(), false)), scale());
  }

  private NDArray within(NDArray q) {
    if (bound == null) {
      return q;
    }
    NDArray norm = q.norm(new int[] {1, 2}, true).add(Scalars.of(q, 1e-12));
    NDArray most = norm.onesLike().div(norm);
    return q.mul(Scalars.mul(most, bound).minimum(norm.onesLike()));
  }

  @Override
  public NDArray delta(At at) {
    return at.theta(B).matMul(change(at)).matMul(at.theta(A));
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    NDArray low = at.map(at.dropout(dropout, x), at.theta(A), null);
    return at.map(at.map(low, change(at), null), at.theta(B), null);
  }

  @Override
  public String summary() {
    return "rank "
        + rank
        + (orthogonal ? "" : ", not orthogonal")
        + (neumann ? ", series of " + terms : "")
        + (dropout > 0 ? ", dropout " + dropout : "");
  }

  /** The options, for {@code Peft.psoft(model)}. */
  public static final class Options<R> extends Keyed.Options<Psoft, Options<R>, R> {
    private Options(Draft<Psoft, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Psoft(), target));
    }

    /** r, at least 1; default 32, or as many as the smallest of the weights has. */
    public Options<R> rank(int rank) {
      return set("r", rank);
    }

    /** Lets R be any matrix. */
    public Options<R> free() {
      return set("psoft_orth", false);
    }

    /** Leaves the trained gains on both sides of R out: the change is a rotation alone. */
    public Options<R> withoutGains() {
      return set("psoft_mag_a", false).set("psoft_mag_b", false);
    }

    /** Dropout on the input of the branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      return set("psoft_dropout", p);
    }
  }
}
