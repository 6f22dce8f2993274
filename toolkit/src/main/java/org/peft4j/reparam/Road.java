package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;

/**
 * RoAD (Liao and Monz, arXiv 2409.00119): pairs of outputs turned by an angle and scaled, {@code
 * y'_1 = a cos(t) y_1 - a sin(t) y_2} and {@code y'_2 = a cos(t) y_2 + a sin(t) y_1}; pairs are
 * made of the two halves of each group of outputs. Angles are 0 and scales 1 at first. Each pair
 * has one of both (variant 1), or each output (2), or each of the four products (4).
 *
 * @param groupSize even, a divisor of the outputs; 0 for the largest one up to 64
 */
public record Road(@Key("variant") Variant variant, @Key("group_size") int groupSize)
    implements Keyed {
  private static final String ANGLES = "road_theta";
  private static final String SCALES = "road_alpha";

  /** How many angles and scales there are for two outputs. */
  public enum Variant {
    ONE(1),
    TWO(2),
    FOUR(4);

    private final int perPair;

    Variant(int perPair) {
      this.perPair = perPair;
    }

    @Override
    public String toString() {
      return "road_" + perPair;
    }
  }

  /** Hugging Face's defaults: variant 1. */
  public Road() {
    this(Variant.ONE, 0);
  }

  public Road {
    Checks.atLeast("group_size", 0, groupSize);
    Checks.divides("group_size", 2, "itself", groupSize);
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public Road sized(List<Site> sites) {
    return groupSize > 0 ? this : Keys.with(this, "group_size", Divisors.evenOfOutputs(sites, 64));
  }

  @Override
  public void declare(Site site, Declaration theta) {
    Checks.divides("group_size", groupSize, "outputs of " + site.path(), site.out());
    Shape each = new Shape(site.out() / 2 * variant.perPair);
    theta.trained(ANGLES, each, Init.ZEROS).trained(SCALES, each, Init.ONES);
  }

  /** What one of both has for every output: {@code part} 0 for the cosine, 1 for the sine. */
  private NDArray spread(NDArray all, int part) {
    return switch (variant) {
      case ONE -> all.reshape(-1, groupSize / 2).repeat(0, 2).reshape(-1);
      case TWO -> all;
      case FOUR -> all.reshape(-1, 2, groupSize).get(":, {}", part).reshape(-1);
    };
  }

  /** Turns y {@code [..., out]}. */
  private NDArray turn(At at, NDArray y) {
    NDArray angles = at.theta(ANGLES);
    NDArray scales = at.theta(SCALES);
    NDArray halves = y.reshape(-1, 2, groupSize / 2);
    NDArray crossed = halves.get(":, 1:").neg().concat(halves.get(":, :1"), 1);
    NDArray along = spread(scales, 0).mul(spread(angles, 0).cos());
    NDArray across = spread(scales, 1).mul(spread(angles, 1).sin());
    return y.mul(along).add(crossed.reshape(y.getShape()).mul(across));
  }

  @Override
  public Weight effective(At at) {
    NDArray b0 = at.b0();
    NDArray w = turn(at, at.w0().transpose()).transpose();
    return new Weight(w, b0 == null ? null : turn(at, b0));
  }

  @Override
  public NDArray forward(At at, NDArray x) {
    return turn(at, at.frozen(x));
  }

  @Override
  public String summary() {
    return "variant " + variant.perPair + ", groups of " + (groupSize > 0 ? groupSize : "up to 64");
  }

  /** The options, for {@code Peft.road(model)}. */
  public static final class Options<R> extends Keyed.Options<Road, Options<R>, R> {
    private Options(Draft<Road, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Road(), target));
    }

    /** How many angles and scales there are for two outputs; default one. */
    public Options<R> variant(Variant v) {
      return set("variant", v);
    }

    /** Size of the groups that pairs are made in; default the largest up to 64 that divides. */
    public Options<R> groupSize(int size) {
      return set("group_size", size);
    }
  }
}
