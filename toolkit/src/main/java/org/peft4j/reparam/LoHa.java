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
 * LoHa (Hyeon-Woo et al., arXiv 2108.06098): {@code W = W0 + s (A1 B1) o (A2 B2)}, the product,
 * element by element, of two matrices of rank r; {@code s = alpha / r}, B2 = 0 at first.
 *
 * @param effectiveConv whether each factor of a convolution is a core {@code [r, r, k, k]} between
 *     {@code [r, out]} and {@code [r, in]}
 */
public record LoHa(Ranks ranks, boolean effectiveConv) implements Additive {
  /** Rank 8, alpha 8. */
  public LoHa() {
    this(new Ranks(), false);
  }

  @Override
  public String name() {
    return "loha";
  }

  @Override
  public String peftType() {
    return "LOHA";
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR, Kind.CONV);
  }

  @Override
  public LoHa at(Site site) {
    return new LoHa(ranks.at(site), effectiveConv);
  }

  private boolean cored(Site site) {
    return effectiveConv && Ranks.spread(site);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    long r = ranks.rank();
    Shape w = Ranks.matrix(site);
    Shape a = cored(site) ? new Shape(r, site.out()) : new Shape(w.get(0), r);
    Shape b = cored(site) ? new Shape(r, site.in()) : new Shape(r, w.get(1));
    for (int i = 1; i <= 2; i++) {
      theta.trained("hada_w" + i + "_a", a, Init.KAIMING);
      theta.trained("hada_w" + i + "_b", b, i == 1 ? Init.KAIMING : Init.ZEROS);
      if (cored(site)) {
        theta.trained("hada_t" + i, new Shape(r, r).addAll(Ranks.kernel(site)), Init.KAIMING);
      }
    }
  }

  private NDArray factor(At at, int i) {
    NDArray a = at.theta("hada_w" + i + "_a");
    NDArray b = at.theta("hada_w" + i + "_b");
    return cored(at.site()) ? Ranks.around(at.theta("hada_t" + i), a, b) : a.matMul(b);
  }

  @Override
  public NDArray delta(At at) {
    NDArray product = factor(at, 1).mul(factor(at, 2)).reshape(at.site().shape());
    return Scalars.mul(product, ranks.scale());
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>(ranks.toConfig());
    c.put("use_effective_conv2d", effectiveConv);
    c.put("init_weights", true);
    c.put("rank_dropout", 0.0);
    c.put("module_dropout", 0.0);
    return c;
  }

  static LoHa fromConfig(Entries c) {
    Ranks.acceptDropouts(c);
    c.accept("init_weights");
    return new LoHa(Ranks.fromConfig(c), c.flag("use_effective_conv2d", false));
  }

  @Override
  public String summary() {
    return ranks.summary() + (effectiveConv ? ", convolutions around a core" : "");
  }

  /** The options, for {@code Peft.loha(model)}. */
  public static final class Options<R> extends Fluent<LoHa, Options<R>, R> {
    private Options(Draft<LoHa, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new LoHa(), target));
    }

    /** r of each factor, at least 1; default 8. */
    public Options<R> rank(int rank) {
      return with(new LoHa(tuner().ranks.withRank(rank), tuner().effectiveConv));
    }

    /** Numerator of the scale {@code alpha / r}; default 8. */
    public Options<R> alpha(double alpha) {
      return with(new LoHa(tuner().ranks.withAlpha(alpha), tuner().effectiveConv));
    }

    /** Keeps a convolution's kernel apart, in a core of its own. */
    public Options<R> effectiveConv() {
      return with(new LoHa(tuner().ranks, true));
    }
  }
}
