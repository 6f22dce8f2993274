package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scalars;

/**
 * LoKr (Edalati et al., arXiv 2212.10650; Yeh et al., arXiv 2309.14859): {@code W = W0 + s W1 (x)
 * W2}, a Kronecker product of {@code [a, c]} and {@code [b, d]} with out = a b and in = c d; {@code
 * s = alpha / r}. Where it saves something, W2 is itself of rank r, and W1 too with {@code
 * decomposeBoth}. W1 (its left factor) is 0 at first.
 *
 * @param decomposeFactor wanted size of a and c; -1 for divisors near the square root
 * @param effectiveConv whether a convolution's W2 is a core {@code [r, r, k, k]} between {@code [r,
 *     b]} and {@code [r, d]}
 */
public record LoKr(Ranks ranks, boolean decomposeBoth, int decomposeFactor, boolean effectiveConv)
    implements Additive {
  private static final String W1 = "lokr_w1";
  private static final String W2 = "lokr_w2";
  private static final String CORE = "lokr_t2";

  /** Rank 8, alpha 8. */
  public LoKr() {
    this(new Ranks(), false, -1, false);
  }

  public LoKr {
    if (decomposeFactor != -1 && decomposeFactor < 1) {
      throw new IllegalArgumentException(
          "decompose_factor: expected -1 or a size, found " + decomposeFactor);
    }
  }

  @Override
  public String name() {
    return "lokr";
  }

  @Override
  public String peftType() {
    return "LOKR";
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR, Kind.CONV);
  }

  @Override
  public LoKr at(Site site) {
    return new LoKr(ranks.at(site), decomposeBoth, decomposeFactor, effectiveConv);
  }

  /**
   * Two factors of n, the smaller first: the factor itself if it divides n, else the divisors
   * nearest to each other whose smaller one is at most the factor.
   */
  private long[] split(long n) {
    if (decomposeFactor > 0 && n % decomposeFactor == 0) {
      return new long[] {decomposeFactor, n / decomposeFactor};
    }
    long most = decomposeFactor == -1 ? n : decomposeFactor;
    long small = 1;
    for (long m = 2; m * m <= n && m <= most; m++) {
      if (n % m == 0) {
        small = m;
      }
    }
    return new long[] {small, n / small};
  }

  /** The two factors' sizes: {@code a, b} of the outputs, {@code c, d} of the inputs. */
  private record Sizes(long a, long b, long c, long d) {
    boolean wholeFirst(int rank, boolean both) {
      return !both || 2L * rank >= Math.max(a, c);
    }

    boolean wholeSecond(int rank) {
      return 2L * rank >= Math.max(b, d);
    }
  }

  private Sizes sizes(Site site) {
    long[] out = split(site.out());
    long[] in = split(site.in());
    return new Sizes(out[0], out[1], in[0], in[1]);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    int r = ranks.rank();
    Sizes s = sizes(site);
    Shape kernel = site.kind() == Kind.CONV ? site.shape().slice(2) : new Shape();
    if (s.wholeFirst(r, decomposeBoth)) {
      theta.trained(W1, new Shape(s.a, s.c), Init.ZEROS);
    } else {
      theta.trained(W1 + "_a", new Shape(s.a, r), Init.ZEROS);
      theta.trained(W1 + "_b", new Shape(r, s.c), Init.KAIMING);
    }
    if (s.wholeSecond(r)) {
      theta.trained(W2, new Shape(s.b, s.d).addAll(kernel), Init.KAIMING);
    } else if (effectiveConv && Ranks.spread(site)) {
      theta.trained(W2 + "_a", new Shape(r, s.b), Init.KAIMING);
      theta.trained(W2 + "_b", new Shape(r, s.d), Init.KAIMING);
      theta.trained(CORE, new Shape(r, r).addAll(Ranks.kernel(site)), Init.KAIMING);
    } else {
      theta.trained(W2 + "_a", new Shape(s.b, r), Init.KAIMING);
      theta.trained(W2 + "_b", new Shape(r, s.d * kernel.size()), Init.KAIMING);
    }
  }

  private static NDArray product(At at, String name) {
    NDArray whole = at.thetaOrNull(name);
    return whole != null ? whole : at.theta(name + "_a").matMul(at.theta(name + "_b"));
  }

  @Override
  public NDArray delta(At at) {
    NDArray w1 = product(at, W1);
    NDArray core = at.thetaOrNull(CORE);
    NDArray w2 =
        core == null
            ? product(at, W2)
            : Ranks.around(core, at.theta(W2 + "_a"), at.theta(W2 + "_b"));
    Sizes s = sizes(at.site());
    long points = at.site().kind() == Kind.CONV ? at.site().shape().slice(2).size() : 1;
    NDArray left = w1.reshape(s.a, 1, s.c, 1, 1);
    NDArray right = w2.reshape(1, s.b, 1, s.d, points);
    return Scalars.mul(left.mul(right).reshape(at.site().shape()), ranks.scale());
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>(ranks.toConfig());
    c.put("decompose_both", decomposeBoth);
    c.put("decompose_factor", decomposeFactor);
    c.put("use_effective_conv2d", effectiveConv);
    c.put("init_weights", true);
    c.put("rank_dropout", 0.0);
    c.put("rank_dropout_scale", false);
    c.put("module_dropout", 0.0);
    return c;
  }

  static LoKr fromConfig(Entries c) {
    Ranks.acceptDropouts(c);
    c.accept("init_weights");
    return new LoKr(
        Ranks.fromConfig(c),
        c.flag("decompose_both", false),
        c.integer("decompose_factor", -1),
        c.flag("use_effective_conv2d", false));
  }

  @Override
  public String summary() {
    return ranks.summary()
        + (decomposeBoth ? ", both factors of low rank" : "")
        + (decomposeFactor > 0 ? ", factor " + decomposeFactor : "")
        + (effectiveConv ? ", convolutions around a core" : "");
  }

  /** The options, for {@code Peft.lokr(model)}. */
  public static final class Options<R> extends Fluent<LoKr, Options<R>, R> {
    private Options(Draft<LoKr, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new LoKr(), target));
    }

    private Options<R> with(Ranks ranks) {
      LoKr t = tuner();
      return with(new LoKr(ranks, t.decomposeBoth, t.decomposeFactor, t.effectiveConv));
    }

    /** r, at least 1; default 8. */
    public Options<R> rank(int rank) {
      return with(tuner().ranks.withRank(rank));
    }

    /** Numerator of the scale {@code alpha / r}; default 8. */
    public Options<R> alpha(double alpha) {
      return with(tuner().ranks.withAlpha(alpha));
    }

    /** Gives the small factor a low rank too, where that saves something. */
    public Options<R> decomposeBoth() {
      LoKr t = tuner();
      return with(new LoKr(t.ranks, true, t.decomposeFactor, t.effectiveConv));
    }

    /** Wanted size of the small factor; default divisors near the square root. */
    public Options<R> decomposeFactor(int size) {
      LoKr t = tuner();
      return with(new LoKr(t.ranks, t.decomposeBoth, size, t.effectiveConv));
    }

    /** Keeps a convolution's kernel apart, in a core of its own. */
    public Options<R> effectiveConv() {
      LoKr t = tuner();
      return with(new LoKr(t.ranks, t.decomposeBoth, t.decomposeFactor, true));
    }
  }
}
