package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.List;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Site;
import org.peft4j.tensor.ActivationFunction;
import org.peft4j.tensor.Scalars;

/**
 * PEANuT (Zhong et al., arXiv 2410.01870): {@code W = W0 + s N(W0)}, a network over the columns of
 * W0 {@code [out]}: {@code h = f(A w)}, A {@code [r, out]}, d layers {@code h = f(E_k h)}, d layers
 * {@code h = f(D_k h) + r}, r what went into the matching E, and {@code B h}, B {@code [out, r]} =
 * 0 at first.
 *
 * @param rank r
 * @param depth d
 * @param activation f, as Hugging Face names it
 * @param scale s
 */
public record Peanut(
    @Key("r") int rank,
    @Key("depth") int depth,
    @Key("act_fn") String activation,
    @Key("scaling") double scale)
    implements Additive, Keyed {
  private static final String A = "peanut_A.weight";
  private static final String B = "peanut_B.weight";

  /** Hugging Face's defaults: rank 32, no inner layers, relu. */
  public Peanut() {
    this(32, 0, "relu", 1);
  }

  public Peanut {
    Checks.rank(rank);
    Checks.atLeast("depth", 0, depth);
    Checks.finite("scaling", scale);
    ActivationFunction.of(activation, "act_fn");
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  private static String inner(String kind, int k) {
    return "peanut_" + kind + "coders." + k + ".weight";
  }

  @Override
  public void declare(Site site, Declaration theta) {
    theta.trained(A, new Shape(rank, site.out()), Init.KAIMING);
    for (String kind : List.of("en", "de")) {
      for (int k = 0; k < depth; k++) {
        theta.trained(inner(kind, k), new Shape(rank, rank), Init.KAIMING);
      }
    }
    theta.trained(B, new Shape(site.out(), rank), Init.ZEROS);
  }

  @Override
  public NDArray delta(At at) {
    ActivationFunction f = ActivationFunction.of(activation, "act_fn");
    NDArray h = f.apply(Operation.LINEAR.apply(at.w0().transpose(), at.theta(A), null));
    List<NDArray> into = new ArrayList<>();
    for (int k = 0; k < depth; k++) {
      into.add(h);
      h = f.apply(Operation.LINEAR.apply(h, at.theta(inner("en", k)), null));
    }
    for (int k = 0; k < depth; k++) {
      NDArray decoded = f.apply(Operation.LINEAR.apply(h, at.theta(inner("de", k)), null));
      h = decoded.add(into.get(depth - 1 - k));
    }
    return Scalars.mul(at.theta(B).matMul(h.transpose()), scale);
  }

  @Override
  public String summary() {
    return "rank "
        + rank
        + ", depth "
        + depth
        + ", "
        + activation
        + ", scale "
        + Patterns.tidy(scale);
  }

  /** The options, for {@code Peft.peanut(model)}. */
  public static final class Options<R> extends Keyed.Options<Peanut, Options<R>, R> {
    private Options(Draft<Peanut, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Peanut(), target));
    }

    /** r, at least 1; default 32. */
    public Options<R> rank(int rank) {
      return set("r", rank);
    }

    /** Inner layers on the way in, and as many on the way out; default 0. */
    public Options<R> depth(int d) {
      return set("depth", d);
    }

    /** {@code relu} (default), {@code gelu}, {@code silu} or {@code tanh}. */
    public Options<R> activation(String name) {
      return set("act_fn", name);
    }

    /** Scale of the change; default 1. */
    public Options<R> scale(double s) {
      return set("scaling", s);
    }
  }
}
