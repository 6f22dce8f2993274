package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.Map;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scalars;

/**
 * FourierFT (Gao et al., arXiv 2405.03003): {@code W = W0 + s Re(ifft2(F))} with F 0 but for n
 * trained coefficients, 0 at first, at places of a random permutation, the same for all weights of
 * one shape.
 *
 * @param frequencies n, per weight
 * @param scale s
 * @param placeSeed seed of the places, which files do not have
 * @param frequencyPattern n by module
 */
public record FourierFt(
    @Key("n_frequency") int frequencies,
    @Key("scaling") double scale,
    @Key("random_loc_seed") long placeSeed,
    @Key(value = "n_frequency_pattern", replaces = "n_frequency")
        Map<String, Integer> frequencyPattern)
    implements Additive, Keyed {
  private static final String SPECTRUM = "fourierft_spectrum";

  /** Hugging Face's defaults: 1,000 coefficients, scale 150. */
  public FourierFt() {
    this(1000, 150, 777, Map.of());
  }

  public FourierFt {
    Checks.atLeast("n_frequency", 1, frequencies);
    Checks.finite("scaling", scale);
    frequencyPattern = Patterns.ordered(frequencyPattern);
  }

  @Override
  public boolean transposable() {
    return true;
  }

  @Override
  public void declare(Site site, Declaration theta) {
    theta.trained(SPECTRUM, new Shape(frequencies), Init.ZEROS);
    Places.declare(theta, site, placeSeed, frequencies);
  }

  @Override
  public NDArray delta(At at) {
    long rows = at.site().out();
    long columns = at.site().in();
    NDArray f = Places.fill(at.theta(SPECTRUM), at.theta(Places.NAME), rows, columns);
    NDArray waves = f.ifft2(new long[] {rows, columns}, new long[] {0, 1}).real().get("..., 0");
    return Scalars.mul(waves, scale);
  }

  @Override
  public String summary() {
    return frequencies + " coefficients, scale " + Patterns.tidy(scale);
  }

  /** The options, for {@code Peft.fourierFt(model)}. */
  public static final class Options<R> extends Keyed.Options<FourierFt, Options<R>, R> {
    private Options(Draft<FourierFt, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new FourierFt(), target));
    }

    /** Trained coefficients per weight; default 1,000. */
    public Options<R> frequencies(int n) {
      return set("n_frequency", n);
    }

    /** Scale of the change; default 150. */
    public Options<R> scale(double s) {
      return set("scaling", s);
    }

    /** Seed of the coefficients' places; default 777. */
    public Options<R> placeSeed(long seed) {
      return set("random_loc_seed", seed);
    }
  }
}
