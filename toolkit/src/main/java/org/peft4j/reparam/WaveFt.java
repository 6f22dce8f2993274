package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import java.util.Map;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scalars;

/**
 * WaveFT (Bilican et al., arXiv 2505.12532): {@code W = W0 + s idwt(F)}, the inverse transform of
 * Haar wavelets, one level, of F, which is 0 but for n trained coefficients, 0 at first, at places
 * of a random permutation.
 *
 * @param frequencies n, per weight; 0 for 2,592 or as many as the smallest weight has
 * @param scale s
 * @param transformed whether there is a transform at all; else W changes at n places
 * @param placeSeed seed of the places, which files do not have
 * @param frequencyPattern n by module
 */
public record WaveFt(
    @Key("n_frequency") int frequencies,
    @Key("scaling") double scale,
    @Key("use_idwt") boolean transformed,
    @Key("random_loc_seed") long placeSeed,
    @Key(value = "n_frequency_pattern", replaces = "n_frequency")
        Map<String, Integer> frequencyPattern)
    implements Additive, Keyed {
  private static final String SPECTRUM = "waveft_spectrum";
  private static final int USUAL = 2592;

  /** Hugging Face's defaults: 2,592 coefficients, scale 25. */
  public WaveFt() {
    this(0, 25, true, 777, Map.of());
  }

  public WaveFt {
    Checks.atLeast("n_frequency", 0, frequencies);
    Checks.finite("scaling", scale);
    frequencyPattern = Patterns.ordered(frequencyPattern);
  }

  @Override
  public boolean transposable() {
    return true;
  }

  @Override
  public Map<String, Object> constants() {
    return Map.of("init_weights", true, "wavelet_family", "db1");
  }

  static WaveFt fromConfig(Entries c) {
    Keyed.require(c, "wavelet_family", "db1");
    Keyed.require(c, "proportional_parameters", false);
    return Keyed.read(new WaveFt(), c);
  }

  @Override
  public WaveFt sized(List<Site> sites) {
    long most = sites.stream().mapToLong(s -> s.shape().size()).min().orElse(USUAL);
    return frequencies > 0 ? this : Keys.with(this, "n_frequency", (int) Math.min(USUAL, most));
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
    return Scalars.mul(transformed ? inverseHaar(even(f)) : f, scale)
        .get(":{}, :{}", rows, columns);
  }

  private static NDArray even(NDArray f) {
    NDArray out = f;
    for (int axis = 0; axis < 2; axis++) {
      if (out.getShape().get(axis) % 2 != 0) {
        Shape line =
            axis == 0 ? new Shape(1, out.getShape().get(1)) : new Shape(out.getShape().get(0), 1);
        out = out.concat(out.getManager().zeros(line, out.getDataType()), axis);
      }
    }
    return out;
  }

  /** Quarters of f are means, differences down, across, and both; each four make a square. */
  private static NDArray inverseHaar(NDArray f) {
    long h = f.getShape().get(0) / 2;
    long w = f.getShape().get(1) / 2;
    NDArray bands = f.reshape(2, h, 2, w).transpose(2, 1, 0, 3);
    NDArray top = bands.get(0).add(bands.get(1));
    NDArray bottom = bands.get(0).sub(bands.get(1));
    NDArray rows = top.stack(bottom, 1).reshape(2 * h, 2, w);
    NDArray left = rows.get(":, 0").add(rows.get(":, 1"));
    NDArray right = rows.get(":, 0").sub(rows.get(":, 1"));
    return Scalars.mul(left.stack(right, 2).reshape(2 * h, 2 * w), 0.5);
  }

  @Override
  public String summary() {
    return (frequencies > 0 ? frequencies : "2592, if there are,")
        + " coefficients"
        + (transformed ? "" : ", not transformed")
        + ", scale "
        + Patterns.tidy(scale);
  }

  /** The options, for {@code Peft.waveFt(model)}. */
  public static final class Options<R> extends Keyed.Options<WaveFt, Options<R>, R> {
    private Options(Draft<WaveFt, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new WaveFt(), target));
    }

    /** Trained coefficients per weight; default 2,592, or as many as there are. */
    public Options<R> frequencies(int n) {
      return set("n_frequency", n);
    }

    /** Scale of the change; default 25. */
    public Options<R> scale(double s) {
      return set("scaling", s);
    }

    /** Leaves the wavelets out: W changes at n places. */
    public Options<R> plain() {
      return set("use_idwt", false);
    }
  }
}
