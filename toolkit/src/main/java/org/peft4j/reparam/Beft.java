package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;

/**
 * BEFT (Huang et al., arXiv 2509.15974): a bias added to what a layer gives, 0 at first. Without
 * targets, to the values of every attention.
 */
public record Beft() implements Additive, Keyed {
  private static final String BIAS = "beft_bias";

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public List<String> usualTargets(List<Site> sites) {
    boolean values = sites.stream().anyMatch(s -> "v".equals(s.role()));
    return values ? List.of("v") : List.of();
  }

  @Override
  public void declare(Site site, Declaration theta) {
    theta.trained(BIAS, new Shape(1, site.out()), Init.ZEROS);
  }

  @Override
  public NDArray delta(At at) {
    return at.w0().zerosLike();
  }

  @Override
  public NDArray biasDelta(At at) {
    return at.theta(BIAS).reshape(-1);
  }

  @Override
  public NDArray forward(At at, NDArray x) {
    return at.frozen(x).add(biasDelta(at));
  }

  @Override
  public String summary() {
    return "biases of values";
  }

  /** The options, for {@code Peft.beft(model)}. */
  public static final class Options<R> extends Keyed.Options<Beft, Options<R>, R> {
    private Options(Draft<Beft, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Beft(), target));
    }
  }
}
