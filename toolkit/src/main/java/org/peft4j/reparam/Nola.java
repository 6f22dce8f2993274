package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Seed;

/**
 * NOLA (Koohpayegani et al., arXiv 2310.02556): LoRA whose factors are combinations of k random
 * matrices each, {@code A = sum_k alpha_k A_k}, {@code B = sum_k beta_k B_k}, of which only the
 * coefficients are trained and saved; {@code W = W0 + s B A}, {@code s = scale / r}. The matrices
 * are made of a seed, the same on every machine, and shared by all sites of one size. alpha starts
 * normal, beta at 0.
 *
 * @param rank r
 * @param bases k
 * @param scale numerator of s
 * @param basisSeed seed of the random matrices
 */
public record Nola(int rank, int bases, double scale, long basisSeed) implements Additive {
  private static final String ALPHA = "nola_alpha";
  private static final String BETA = "nola_beta";

  /** Rank 8, 64 matrices, scale 8. */
  public Nola() {
    this(8, 64, 8, 0);
  }

  public Nola {
    Checks.rank(rank);
    Checks.finite("alpha", scale);
    if (bases < 1) {
      throw new IllegalArgumentException("num_bases: expected at least 1, found " + bases);
    }
  }

  @Override
  public String name() {
    return "nola";
  }

  @Override
  public String peftType() {
    return "NOLA";
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR);
  }

  @Override
  public void declareShared(List<Site> sites, Declaration theta) {
    Set<Long> ins = new TreeSet<>();
    Set<Long> outs = new TreeSet<>();
    sites.forEach(
        s -> {
          ins.add(s.in());
          outs.add(s.out());
        });
    ins.forEach(n -> basis(theta, "A", n));
    outs.forEach(n -> basis(theta, "B", n));
  }

  /** {@code [k, r n]}, uniform like a layer of n inputs. */
  private void basis(Declaration theta, String factor, long n) {
    String name = "nola_" + factor + "." + n;
    double bound = 1 / Math.sqrt(n);
    Seed seed = Seed.of(basisSeed).at(name);
    theta.derived(
        name,
        new Shape(bases, rank * n),
        (c, shape) -> seed.uniform(c.manager(), shape, -bound, bound));
  }

  @Override
  public void declare(Site site, Declaration theta) {
    theta.trained(ALPHA, new Shape(1, bases), Init.normal(1 / Math.sqrt(bases)));
    theta.trained(BETA, new Shape(1, bases), Init.ZEROS);
  }

  private NDArray a(At at) {
    long in = at.site().in();
    return at.theta(ALPHA).matMul(at.theta("nola_A." + in)).reshape(rank, in);
  }

  private NDArray b(At at) {
    long out = at.site().out();
    return at.theta(BETA).matMul(at.theta("nola_B." + out)).reshape(out, rank);
  }

  @Override
  public NDArray delta(At at) {
    return Scalars.mul(b(at).matMul(a(at)), scale / rank);
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    return Scalars.mul(at.map(at.map(x, a(at), null), b(at), null), scale / rank);
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("r", rank);
    c.put("num_bases", bases);
    c.put("alpha", Patterns.tidy(scale));
    c.put("basis_seed", basisSeed);
    return c;
  }

  static Nola fromConfig(Entries c) {
    return new Nola(
        c.integer("r", 8),
        c.integer("num_bases", 64),
        c.number("alpha", 8),
        c.integer("basis_seed", 0));
  }

  @Override
  public String summary() {
    return "rank " + rank + " of " + bases + " random matrices, scale " + Patterns.tidy(scale);
  }

  /** The options, for {@code Peft.nola(model)}. */
  public static final class Options<R> extends Fluent<Nola, Options<R>, R> {
    private Options(Draft<Nola, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Nola(), target));
    }

    /** r, at least 1; default 8. */
    public Options<R> rank(int rank) {
      Nola t = tuner();
      return with(new Nola(rank, t.bases, t.scale, t.basisSeed));
    }

    /** Number of random matrices per factor; default 64. */
    public Options<R> bases(int k) {
      Nola t = tuner();
      return with(new Nola(t.rank, k, t.scale, t.basisSeed));
    }

    /** Numerator of the scale over r; default 8. */
    public Options<R> alpha(double scale) {
      Nola t = tuner();
      return with(new Nola(t.rank, t.bases, scale, t.basisSeed));
    }

    /** Seed of the random matrices; default 0. */
    public Options<R> basisSeed(long seed) {
      Nola t = tuner();
      return with(new Nola(t.rank, t.bases, t.scale, seed));
    }
  }
}
