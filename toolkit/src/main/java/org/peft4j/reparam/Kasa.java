package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Svd;

/**
 * KaSA (Wang et al., arXiv 2412.06071): {@code W = W0' + s B diag(d) A}, d {@code [r]} normal at
 * first, where W0' is W0 without its r smallest singular directions, taken for noise: it starts
 * near W0, not at it. The loss gains {@code beta |d|^2 + gamma (|B^T B - I| + |A A^T - I|)} at
 * every site.
 *
 * @param beta weight of the size of d, at least 0
 * @param gamma weight of how far A and B are from orthonormal, at least 0
 */
public record Kasa(Lora lora, double beta, double gamma) implements OnLora {
  private static final String D = "lora_diag";
  private static final String CONFIG = "kasa_config";

  /** LoRA's defaults, beta 1e-4, gamma 1e-3. */
  public Kasa() {
    this(new Lora(), 1e-4, 1e-3);
  }

  public Kasa {
    Checks.notNegative("beta", beta);
    Checks.notNegative("gamma", gamma);
    if (lora.init().needsMatrix() || lora.init().fromData()) {
      throw new IllegalArgumentException(
          "init: KaSA changes the base itself\nexpected: kaiming, gaussian or random\nfound: "
              + lora.init());
    }
  }

  @Override
  public String name() {
    return "kasa";
  }

  @Override
  public Kasa on(Lora other) {
    return new Kasa(other, beta, gamma);
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    long most = Math.min(site.in(), site.out()) - 1;
    if (lora.rank() > most) {
      throw new IllegalArgumentException(
          "rank\nexpected: at most "
              + most
              + " for "
              + site
              + ", so that something of it is left\nfound: "
              + lora.rank());
    }
    lora.declare(site, theta);
    theta.trained(D, new Shape(lora.rank()), Init.normal(1));
  }

  @Override
  public NDArray shift(At at) {
    Svd svd = Svd.precise(at.w0());
    String kept = ":" + (svd.s().size() - lora.rank());
    return svd.u().get(":, " + kept).mul(svd.s().get(kept)).matMul(svd.vh().get(kept));
  }

  @Override
  public At factors(At at) {
    return at.with(Lora.A, at.theta(Lora.A).mul(at.theta(D).expandDims(1)));
  }

  @Override
  public @Nullable NDArray penalty(List<At> sites) {
    NDArray sum = null;
    for (At at : sites) {
      NDArray a = at.theta(Lora.A);
      NDArray b = at.theta(Lora.B);
      NDArray apart =
          AdaLora.deviation(a.matMul(a.transpose()))
              .add(AdaLora.deviation(b.transpose().matMul(b)));
      NDArray here = Scalars.mul(at.theta(D).square().sum(), beta).add(Scalars.mul(apart, gamma));
      sum = sum == null ? here : sum.add(here);
    }
    return sum;
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>(lora.toConfig());
    Map<String, Object> own = new LinkedHashMap<>();
    own.put("beta", beta);
    own.put("gamma", gamma);
    c.put(CONFIG, own);
    return c;
  }

  static boolean in(Entries c) {
    return c.has(CONFIG);
  }

  static Kasa fromConfig(Entries c) {
    Entries own = c.section(CONFIG);
    Kasa kasa = new Kasa(Lora.fromConfig(c), own.number("beta", 1e-4), own.number("gamma", 1e-3));
    own.requireAllRead();
    return kasa;
  }

  /** The options, for {@code Peft.kasa(model)}. */
  public static final class Options<R> extends LoraOptions<Kasa, Options<R>, R> {
    private Options(Draft<Kasa, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Kasa(), target));
    }

    /** Weights of the two terms that the loss gains; default 1e-4 and 1e-3. */
    public Options<R> regularization(double beta, double gamma) {
      return with(new Kasa(tuner().lora, beta, gamma));
    }
  }
}
