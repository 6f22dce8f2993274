package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scalars;

/**
 * GraLoRA (Jung et al., arXiv 2505.20355): W as k by k blocks, each with a LoRA of rank r / k of
 * its own: {@code dW_ji = s (B_j)_i (A_i)_j}, A {@code [k, in / k, r]} and B {@code [k, r, out /
 * k]} = 0 at first cut into k parts along r; beside them, if h > 0, a LoRA of rank h over the whole
 * weight. {@code s = alpha / (r + h)}.
 *
 * @param rank r, a multiple of k
 * @param hybridRank h
 * @param blocks k, a divisor of inputs and outputs
 * @param dropout probability on the input of the branch
 */
public record GraLora(
    @Key("r") int rank,
    @Key("hybrid_r") int hybridRank,
    @Key("alpha") double alpha,
    @Key("gralora_k") int blocks,
    @Key("gralora_dropout") double dropout)
    implements DropoutBranch {
  private static final String A = "gralora_A";
  private static final String B = "gralora_B";
  private static final String WHOLE_A = "gralora_A_general.weight";
  private static final String WHOLE_B = "gralora_B_general.weight";

  /** Hugging Face's defaults: rank 32, alpha 64, 2 by 2 blocks. */
  public GraLora() {
    this(32, 0, 64, 2, 0);
  }

  public GraLora {
    Checks.rank(rank);
    Checks.atLeast("hybrid_r", 0, hybridRank);
    Checks.finite("alpha", alpha);
    Checks.atLeast("gralora_k", 1, blocks);
    Checks.divides("gralora_k", blocks, "r", rank);
    Checks.probability("dropout", dropout);
  }

  @Override
  public boolean transposable() {
    return true;
  }

  @Override
  public void declare(Site site, Declaration theta) {
    Checks.divides("gralora_k", blocks, "inputs of " + site.path(), site.in());
    Checks.divides("gralora_k", blocks, "outputs of " + site.path(), site.out());
    long in = site.in() / blocks;
    Init a = Init.uniform(1 / Math.sqrt(in));
    theta.trained(A, new Shape(blocks, in, rank), a);
    theta.trained(B, new Shape(blocks, rank, site.out() / blocks), Init.ZEROS);
    if (hybridRank > 0) {
      theta.trained(WHOLE_A, new Shape(hybridRank, site.in()), Init.KAIMING);
      theta.trained(WHOLE_B, new Shape(site.out(), hybridRank), Init.ZEROS);
    }
  }

  @Override
  public NDArray delta(At at) {
    long k = blocks;
    long part = rank / k;
    NDArray a = at.theta(A).reshape(k, -1, k, part).transpose(0, 2, 1, 3);
    NDArray b = at.theta(B).reshape(k, k, part, -1).transpose(1, 0, 2, 3);
    NDArray blockwise = a.matMul(b).transpose(1, 3, 0, 2); // [j, out / k, i, in / k]
    NDArray sum = blockwise.reshape(at.site().shape());
    if (hybridRank > 0) {
      sum = sum.add(at.theta(WHOLE_B).matMul(at.theta(WHOLE_A)));
    }
    return Scalars.mul(sum, alpha / (rank + hybridRank));
  }

  @Override
  public String summary() {
    return "rank "
        + rank
        + ", alpha "
        + Patterns.tidy(alpha)
        + ", "
        + blocks
        + " by "
        + blocks
        + " blocks"
        + (hybridRank > 0 ? ", rank " + hybridRank + " beside them" : "")
        + (dropout > 0 ? ", dropout " + dropout : "");
  }

  /** The options, for {@code Peft.graLora(model)}. */
  public static final class Options<R> extends Keyed.Options<GraLora, Options<R>, R> {
    private Options(Draft<GraLora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new GraLora(), target));
    }

    /** r, a multiple of the number of blocks; default 32. */
    public Options<R> rank(int rank) {
      return set("r", rank);
    }

    /** Numerator of the scale; default 64. */
    public Options<R> alpha(double alpha) {
      return set("alpha", alpha);
    }

    /** k: the weight is cut into k by k blocks; default 2. */
    public Options<R> blocks(int k) {
      return set("gralora_k", k);
    }

    /** Rank of a LoRA over the whole weight beside the blocks; default none. */
    public Options<R> hybridRank(int h) {
      return set("hybrid_r", h);
    }

    /** Dropout on the input of the branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      return set("gralora_dropout", p);
    }
  }
}
