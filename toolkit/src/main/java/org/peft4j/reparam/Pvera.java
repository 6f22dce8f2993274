package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import java.util.Map;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Seed;

/**
 * PVeRA (Leduc et al., arXiv 2512.07703): {@link Vera} whose inner values are random in training:
 * {@code y = x W0^T + b B (m + e exp(v / 2))}, m and v the halves of {@code d A x}, A {@code [2 r,
 * in]}, e normal. Otherwise {@code W = W0 + diag(b) B diag(d') A'}, with the first halves.
 *
 * @param rank r, at least 1
 * @param dropout probability on the input of the branch
 * @param dInitial first value of d
 * @param projectionSeed seed of A and B, drawn from PyTorch's generator as Hugging Face does
 * @param saveProjection whether A and B are written to the file, or only their seed
 */
public record Pvera(
    @Key("r") int rank,
    @Key("pvera_dropout") double dropout,
    @Key("d_initial") double dInitial,
    @Key("projection_prng_key") long projectionSeed,
    @Key("save_projection") boolean saveProjection)
    implements DropoutBranch {
  private static final String LAMBDA_B = "pvera_lambda_b";
  private static final String LAMBDA_D = "pvera_lambda_d";

  /** Hugging Face's defaults: rank 256. */
  public Pvera() {
    this(256, 0, 0.1, 0, true);
  }

  public Pvera {
    Checks.rank(rank);
    Checks.probability("dropout", dropout);
    Checks.finite("d_initial", dInitial);
  }

  static Pvera fromConfig(Entries c) {
    Keyed.require(c, "sample_at_inference", false);
    c.accept("generator_seed");
    return Keyed.read(new Pvera(), c);
  }

  @Override
  public Map<String, Object> constants() {
    return Map.of(
        "init_weights", true, "sample_at_inference", false, "generator_seed", Entries.NULL);
  }

  @Override
  public boolean transposable() {
    return true;
  }

  private Projections projections() {
    return new Projections("pvera_A", "pvera_B", projectionSeed, saveProjection);
  }

  @Override
  public void declareShared(List<Site> sites, Declaration theta) {
    projections().declare(theta, 2L * rank, rank, sites);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    theta.trained(LAMBDA_B, new Shape(site.out()), Init.ZEROS);
    theta.trained(LAMBDA_D, new Shape(2L * rank), Init.constant(dInitial));
  }

  @Override
  public NDArray delta(At at) {
    NDArray a = projections().a(at).mul(at.theta(LAMBDA_D).expandDims(1)).get(":{}", rank);
    return projections().b(at).mul(at.theta(LAMBDA_B).expandDims(1)).matMul(a);
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    if (!at.pass().training()) {
      return DropoutBranch.super.branch(at, x);
    }
    NDArray d = at.theta(LAMBDA_D);
    NDArray low = at.map(at.dropout(dropout, x), projections().a(at), null).mul(d);
    NDArray mean = low.get("..., :{}", rank);
    NDArray deviation = Scalars.mul(low.get("..., {}:", rank), 0.5).exp();
    Seed seed = at.pass().seed().at(at.site().path()).at("pvera");
    NDArray noise = seed.normal(x.getManager(), mean.getShape(), 1);
    NDArray drawn = mean.add(deviation.mul(noise.toType(mean.getDataType(), false)));
    return at.map(drawn, projections().b(at), null).mul(at.theta(LAMBDA_B));
  }

  @Override
  public String summary() {
    return "rank "
        + rank
        + " (shared), d "
        + dInitial
        + (dropout > 0 ? ", dropout " + dropout : "");
  }

  /** The options, for {@code Peft.pvera(model)}. */
  public static final class Options<R> extends Keyed.Options<Pvera, Options<R>, R> {
    private Options(Draft<Pvera, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Pvera(), target));
    }

    /** r of the shared projections; default 256. */
    public Options<R> rank(int rank) {
      return set("r", rank);
    }

    /** Dropout on the input of the branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      return set("pvera_dropout", p);
    }

    /** Seed of the shared projections; default 0. */
    public Options<R> projectionSeed(long seed) {
      return set("projection_prng_key", seed);
    }

    /** Whether to write the shared projections to the file (default) or only their seed. */
    public Options<R> saveProjection(boolean save) {
      return set("save_projection", save);
    }
  }
}
