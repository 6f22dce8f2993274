package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A method at one site in one pass: the frozen weight it starts from and the values of its own
 * tensors.
 */
public final class At {
  private final Site site;
  private final Frozen base;
  private final Pass pass;
  private final Pass below;
  private final Function<String, @Nullable NDArray> theta;
  private final BiFunction<String, Supplier<NDArray>, NDArray> constants;

  /**
   * @param base what is frozen: the site's own, or what {@link Reparam#shift} made of it
   * @param pass the pass that runs the method: training or not, randomness
   * @param below the pass beneath the method, which fetches and applies what is frozen
   * @param theta the method's tensors by name, this site's and the shared ones
   */
  public At(
      Site site, Frozen base, Pass pass, Pass below, Function<String, @Nullable NDArray> theta) {
    this(site, base, pass, below, theta, (name, value) -> value.get().stopGradient());
  }

  private At(
      Site site,
      Frozen base,
      Pass pass,
      Pass below,
      Function<String, @Nullable NDArray> theta,
      BiFunction<String, Supplier<NDArray>, NDArray> constants) {
    this.site = site;
    this.base = base;
    this.pass = pass;
    this.below = below;
    this.theta = theta;
    this.constants = constants;
  }

  /** The same with {@code other} to decide on {@link #constant}s. */
  public At withConstants(BiFunction<String, Supplier<NDArray>, NDArray> other) {
    return new At(site, base, pass, below, theta, other);
  }

  /** The same with another value of one of the method's tensors. */
  public At with(String tensor, NDArray value) {
    return new At(
        site, base, pass, below, n -> n.equals(tensor) ? value : theta.apply(n), constants);
  }

  /**
   * A value that the method declares constant: gradients do not go through it, and finite
   * differences hold it.
   */
  public NDArray constant(String name, Supplier<NDArray> value) {
    return constants.apply(name, value);
  }

  public Site site() {
    return site;
  }

  public Pass pass() {
    return pass;
  }

  /** W0 in dense form. */
  public NDArray w0() {
    return base.weight(below);
  }

  /** b0, or null. */
  public @Nullable NDArray b0() {
    return base.bias(below);
  }

  /** What the frozen weight computes on x: {@code x W0^T + b0}. */
  public NDArray frozen(NDArray x) {
    return below.apply(base, x);
  }

  /** {@code x W0^T}, without the bias. */
  public NDArray frozenWithoutBias(NDArray x) {
    return base.apply(below, x, null);
  }

  /** The method's tensor of that name. */
  public NDArray theta(String name) {
    NDArray value = theta.apply(name);
    if (value == null) {
      throw new IllegalArgumentException("no tensor '" + name + "' at " + site.path());
    }
    return value;
  }

  /** The method's tensor of that name, or null. */
  public @Nullable NDArray thetaOrNull(String name) {
    return theta.apply(name);
  }

  /** x with dropout at this site, in training; else x itself. */
  public NDArray dropout(double p, NDArray x) {
    return pass.dropout(site.path() + ".adapter", p, x);
  }

  /** The site's own map with another weight. */
  public NDArray map(NDArray x, NDArray weight, @Nullable NDArray bias) {
    return site.frozen().operation().apply(x, weight, bias);
  }
}
