package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.tensor.MersenneTwister;
import org.peft4j.tensor.Scalars;

/**
 * RandLoRA (Albert et al., arXiv 2502.00987): {@code W = W0 + s B' A'}, or its transpose where W
 * has more columns than rows: a sum of products of random matrices, of full rank, that are shared
 * by all sites, {@code A'_kn = l_kn A_k o g_n}, A {@code [r, 1, least]} and B {@code [most, n, r]}
 * frozen, l {@code [r, n]} = 0 and g {@code [n, least]} trained; {@code n = least / r}, rounded up,
 * {@code s = alpha / r}, least and most being the sizes of W, or of the largest site.
 *
 * @param rank r
 * @param dropout probability on the input of the branch
 * @param projectionSeed seed of A and B, drawn from PyTorch's generator as Hugging Face does
 * @param saveProjection whether A and B are written to the file, or only their seed
 * @param sparse whether A and B are of -1, 0 and 1, two thirds of them 0
 * @param verySparse the same, with all but one in the root of least 0
 */
public record RandLora(
    @Key("r") int rank,
    @Key("randlora_alpha") double alpha,
    @Key("randlora_dropout") double dropout,
    @Key("projection_prng_key") long projectionSeed,
    @Key("save_projection") boolean saveProjection,
    @Key("sparse") boolean sparse,
    @Key("very_sparse") boolean verySparse)
    implements DropoutBranch {
  private static final String A = "randlora_A";
  private static final String B = "randlora_B";
  private static final String LAMBDA = "randlora_lambda";
  private static final String GAMMA = "randlora_gamma";

  /** Hugging Face's defaults: rank 32, alpha 640. */
  public RandLora() {
    this(32, 640, 0, 0, true, false, false);
  }

  public RandLora {
    Checks.rank(rank);
    Checks.finite("alpha", alpha);
    Checks.probability("dropout", dropout);
  }

  @Override
  public boolean transposable() {
    return true;
  }

  @Override
  public boolean repeatsShared() {
    return true;
  }

  private long bases(long least) {
    return (least + rank - 1) / rank;
  }

  @Override
  public void declareShared(List<Site> sites, Declaration theta) {
    long in = sites.stream().mapToLong(Site::in).max().orElseThrow();
    long out = sites.stream().mapToLong(Site::out).max().orElseThrow();
    long least = Math.min(in, out);
    Shape[] shapes = {new Shape(rank, 1, least), new Shape(Math.max(in, out), bases(least), rank)};
    Init a = (c, shape) -> both(c, shapes)[0];
    Init b = (c, shape) -> both(c, shapes)[1];
    if (saveProjection) {
      theta.saved(A, shapes[0], a).saved(B, shapes[1], b);
    } else {
      theta.derived(A, shapes[0], a).derived(B, shapes[1], b);
    }
  }

  private NDArray[] both(Init.Context c, Shape[] shapes) {
    return c.once(
        "bases",
        () -> {
          double least = shapes[0].get(2);
          double zeros = verySparse ? Math.sqrt(least) : sparse ? 3 : 0;
          MersenneTwister random = new MersenneTwister(projectionSeed);
          return RandomBases.draw(random, c.manager(), shapes[0], shapes[1], zeros);
        });
  }

  @Override
  public void declare(Site site, Declaration theta) {
    long least = Math.min(site.in(), site.out());
    long n = bases(least);
    theta.trained(LAMBDA, new Shape(rank, n), Init.ZEROS);
    theta.trained(GAMMA, new Shape(n, least), Init.constant(1.0 / Math.max(n, least)));
  }

  @Override
  public NDArray delta(At at) {
    long least = Math.min(at.site().in(), at.site().out());
    long most = Math.max(at.site().in(), at.site().out());
    long n = bases(least);
    NDArray scaled = at.theta(LAMBDA).expandDims(2).mul(at.theta(A).get("..., :{}", least));
    NDArray a = scaled.mul(at.theta(GAMMA)).reshape(rank * n, least); // counted by k, then by n
    NDArray b = at.theta(B).get(":{}, :{}", most, n).reshape(most, n * rank); // by n, then by k
    NDArray product = Scalars.mul(b.matMul(a), alpha / rank);
    return at.site().in() == least ? product : product.transpose();
  }

  @Override
  public String summary() {
    return "rank "
        + rank
        + ", alpha "
        + Patterns.tidy(alpha)
        + (sparse ? ", sparse" : "")
        + (verySparse ? ", very sparse" : "")
        + (dropout > 0 ? ", dropout " + dropout : "");
  }

  /** The options, for {@code Peft.randLora(model)}. */
  public static final class Options<R> extends Keyed.Options<RandLora, Options<R>, R> {
    private Options(Draft<RandLora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new RandLora(), target));
    }

    /** r: the lower, the more random matrices, and the more there is to train; default 32. */
    public Options<R> rank(int rank) {
      return set("r", rank);
    }

    /** Numerator of the scale {@code alpha / r}; default 640. */
    public Options<R> alpha(double alpha) {
      return set("randlora_alpha", alpha);
    }

    /** Dropout on the input of the branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      return set("randlora_dropout", p);
    }

    /** Makes two thirds of the random matrices 0. */
    public Options<R> sparse() {
      return set("sparse", true);
    }

    /** Seed of the random matrices; default 0. */
    public Options<R> projectionSeed(long seed) {
      return set("projection_prng_key", seed);
    }

    /** Whether to write the random matrices to the file (default) or only their seed. */
    public Options<R> saveProjection(boolean save) {
      return set("save_projection", save);
    }
  }
}
