package org.peft4j.reparam;

import ai.djl.ndarray.types.Shape;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;

/**
 * BitFit (Ben Zaken et al., arXiv 2106.10199): only biases are trained, started at the model's.
 * Without targets, all of them.
 */
public record BitFit() implements Reparam {
  private static final String BIAS = "bias";

  @Override
  public String name() {
    return "bitfit";
  }

  @Override
  public String peftType() {
    return "BITFIT";
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR, Kind.CONV, Kind.NORM);
  }

  @Override
  public List<String> usualTargets(List<Site> sites) {
    return sites.stream()
        .filter(s -> s.hasBias() && kinds().contains(s.kind()))
        .map(Site::path)
        .toList();
  }

  @Override
  public boolean trainsBias() {
    return true;
  }

  @Override
  public void declare(Site site, Declaration theta) {
    if (!site.hasBias()) {
      throw new IllegalArgumentException(
          "bitfit trains biases\nfound: " + site.path() + " has none\nfix: name other targets");
    }
    theta.trained(BIAS, new Shape(site.frozen().biasSize()), (c, shape) -> c.b0());
  }

  @Override
  public Weight effective(At at) {
    return new Weight(at.w0(), at.theta(BIAS));
  }

  @Override
  public Map<String, Object> toConfig() {
    return Map.of();
  }

  static BitFit fromConfig(Entries c) {
    return new BitFit();
  }

  @Override
  public String summary() {
    return "biases";
  }

  /** No options of its own, for {@code Peft.bitfit(model)}. */
  public static final class Options<R> extends Fluent<BitFit, Options<R>, R> {
    private Options(Draft<BitFit, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new BitFit(), target));
    }
  }
}
