package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scalars;

/**
 * Super-Tuning: the largest entries of W0, or the smallest, are trained, and beside them a LoRA if
 * r is given (Supra): {@code W = W0 + S + (alpha / r) B A}, S 0 but for its trained values.
 *
 * @param sparsity part of the entries that is left as it is, in [0, 1)
 * @param largest whether the largest ones are trained
 * @param rank r, at least 1, or null
 * @param alpha numerator of the LoRA's scale, or null
 * @param dropout probability on the input of the LoRA
 * @param saveIndices whether a file says which entries are trained, or they are found anew in W0
 */
public record SuperTuning(
    @Key("sparsity") double sparsity,
    @Key("select_top") boolean largest,
    @Key("r") @Nullable Integer rank,
    @Key("lora_alpha") @Nullable Double alpha,
    @Key("lora_dropout") double dropout,
    @Key("save_precomputed_indices") boolean saveIndices)
    implements Additive, Keyed {
  private static final String VALUES = "supertuning_values";
  private static final String INDICES = "supertuning_indices";
  private static final String A = "supertuning_lora_A.weight";
  private static final String B = "supertuning_lora_B.weight";

  /** Hugging Face's defaults: the largest hundredth. */
  public SuperTuning() {
    this(0.99, true, null, null, 0, true);
  }

  public SuperTuning {
    Checks.probability("sparsity", sparsity);
    Checks.probability("dropout", dropout);
    if ((rank == null) != (alpha == null)) {
      throw new IllegalArgumentException(
          "r, lora_alpha: expected both or none, found " + rank + " and " + alpha);
    }
    Checks.rank(rank == null ? 1 : rank);
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public void declare(Site site, Declaration theta) {
    int n = (int) (site.shape().size() * (1 - sparsity));
    Checks.atLeast("entries left by sparsity in " + site.path(), 1, n);
    theta.trained(VALUES, new Shape(n), Init.ZEROS);
    Init entries = (c, shape) -> extremes(c.w0().flatten().abs(), n);
    if (saveIndices) {
      theta.saved(INDICES, new Shape(n), entries);
    } else {
      theta.derived(INDICES, new Shape(n), entries);
    }
    if (rank != null) {
      theta.trained(A, new Shape(rank, site.in()), Init.KAIMING);
      theta.trained(B, new Shape(site.out(), rank), Init.ZEROS);
    }
  }

  private NDArray extremes(NDArray sizes, int n) {
    return sizes.topK(n, 0, largest, true).get(1).toType(DataType.INT32, false);
  }

  private NDArray sparse(At at) {
    return Places.fill(at.theta(VALUES), at.theta(INDICES), at.site().out(), at.site().in());
  }

  private NDArray lowRank(At at, int r, double numerator) {
    return Scalars.mul(at.theta(B).matMul(at.theta(A)), numerator / r);
  }

  @Override
  public NDArray delta(At at) {
    return rank == null || alpha == null ? sparse(at) : sparse(at).add(lowRank(at, rank, alpha));
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    NDArray y = at.map(x, sparse(at), null);
    return rank == null || alpha == null
        ? y
        : y.add(at.map(at.dropout(dropout, x), lowRank(at, rank, alpha), null));
  }

  @Override
  public String summary() {
    return "the "
        + (largest ? "largest" : "smallest")
        + " entries, sparsity "
        + sparsity
        + (rank == null ? "" : ", LoRA of rank " + rank);
  }

  /** The options, for {@code Peft.superTuning(model)}. */
  public static final class Options<R> extends Keyed.Options<SuperTuning, Options<R>, R> {
    private Options(Draft<SuperTuning, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new SuperTuning(), target));
    }

    /** Part of the entries that is left as it is, in [0, 1); default 0.99. */
    public Options<R> sparsity(double part) {
      return set("sparsity", part);
    }

    /** Trains the smallest entries instead of the largest. */
    public Options<R> smallest() {
      return set("select_top", false);
    }

    /** Adds a LoRA of that rank and scale {@code alpha / r} beside them (Supra). */
    public Options<R> lora(int rank, double alpha) {
      return with(new SuperTuning(tuner().sparsity, tuner().largest, rank, alpha, 0, true));
    }
  }
}
