package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;

/**
 * VeRA (Kopiczko et al., arXiv 2310.11454): {@code W = W0 + diag(b) B diag(d) A} with A {@code [r,
 * in]} and B {@code [out, r]} random, frozen and shared by all sites (each takes the first columns
 * of A and rows of B that it needs); trained are d {@code [r]} = {@code dInitial} and b {@code
 * [out]} = 0.
 *
 * @param rank r, at least 1
 * @param dropout probability on the input of the branch
 * @param dInitial first value of d
 * @param projectionSeed seed of A and B, drawn from PyTorch's generator as Hugging Face does
 * @param saveProjection whether A and B are written to the file, or only their seed
 */
public record Vera(
    int rank, double dropout, double dInitial, long projectionSeed, boolean saveProjection)
    implements Additive {
  private static final String LAMBDA_B = "vera_lambda_b";
  private static final String LAMBDA_D = "vera_lambda_d";

  /** Hugging Face's defaults, with rank 256. */
  public Vera() {
    this(256, 0, 0.1, 0, true);
  }

  public Vera {
    Checks.rank(rank);
    Checks.probability("dropout", dropout);
    Checks.finite("d_initial", dInitial);
  }

  @Override
  public String name() {
    return "vera";
  }

  @Override
  public String peftType() {
    return "VERA";
  }

  @Override
  public boolean transposable() {
    return true;
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR);
  }

  private Projections projections() {
    return new Projections("vera_A", "vera_B", projectionSeed, saveProjection);
  }

  @Override
  public void declareShared(List<Site> sites, Declaration theta) {
    projections().declare(theta, rank, rank, sites);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    theta.trained(LAMBDA_B, new Shape(site.out()), Init.ZEROS);
    theta.trained(LAMBDA_D, new Shape(rank), Init.constant(dInitial));
  }

  @Override
  public NDArray delta(At at) {
    NDArray b = projections().b(at).mul(at.theta(LAMBDA_B).expandDims(1));
    NDArray a = projections().a(at).mul(at.theta(LAMBDA_D).expandDims(1));
    return b.matMul(a);
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    NDArray low = at.map(at.dropout(dropout, x), projections().a(at), null).mul(at.theta(LAMBDA_D));
    return at.map(low, projections().b(at), null).mul(at.theta(LAMBDA_B));
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("r", rank);
    c.put("vera_dropout", dropout);
    c.put("d_initial", dInitial);
    c.put("projection_prng_key", projectionSeed);
    c.put("save_projection", saveProjection);
    c.put("init_weights", true);
    return c;
  }

  static Vera fromConfig(Entries c) {
    c.accept("fan_in_fan_out", "init_weights");
    return new Vera(
        c.integer("r", 256),
        c.number("vera_dropout", 0),
        c.number("d_initial", 0.1),
        c.integer("projection_prng_key", 0),
        c.flag("save_projection", true));
  }

  @Override
  public String summary() {
    return "rank "
        + rank
        + " (shared), d "
        + dInitial
        + (dropout > 0 ? ", dropout " + dropout : "");
  }

  /** VeRA's options, for {@code Peft.vera(model)}. */
  public static final class Options<R> extends Fluent<Vera, Options<R>, R> {
    private Options(Draft<Vera, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Vera(), target));
    }

    /** r of the shared projections; default 256. */
    public Options<R> rank(int rank) {
      Vera t = tuner();
      return with(new Vera(rank, t.dropout, t.dInitial, t.projectionSeed, t.saveProjection));
    }

    /** Dropout on the input of the branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      Vera t = tuner();
      return with(new Vera(t.rank, p, t.dInitial, t.projectionSeed, t.saveProjection));
    }

    /** First value of d; default 0.1. */
    public Options<R> dInitial(double d) {
      Vera t = tuner();
      return with(new Vera(t.rank, t.dropout, d, t.projectionSeed, t.saveProjection));
    }

    /** Seed of the shared projections; default 0. */
    public Options<R> projectionSeed(long seed) {
      Vera t = tuner();
      return with(new Vera(t.rank, t.dropout, t.dInitial, seed, t.saveProjection));
    }

    /** Whether to write the shared projections to the file (default) or only their seed. */
    public Options<R> saveProjection(boolean save) {
      Vera t = tuner();
      return with(new Vera(t.rank, t.dropout, t.dInitial, t.projectionSeed, save));
    }
  }
}
