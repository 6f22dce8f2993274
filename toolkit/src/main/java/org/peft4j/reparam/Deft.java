package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.tensor.ActivationFunction;
import org.peft4j.tensor.Qr;
import org.peft4j.tensor.Scalars;

/**
 * DEFT: directions taken out of W0 and put in anew, {@code W = W0 + Q (s R - K^T W0)}, trained P
 * {@code [out, r]} and R {@code [r, in]}; {@code Q = P, K = relu(P)}, or both the orthonormal Q of
 * {@code P = Q T} (qr). R is {@code K^T W0 / s} at first. With {@code removing}, there is no R
 * (PaRa), and it does not start at W0.
 *
 * @param rank r, or as many as there are outputs
 * @param alpha numerator of {@code s = alpha / r}; null for s = 1
 * @param dropout probability on the input of the branch
 */
public record Deft(
    @Key("r") int rank,
    @Key("alpha") @Nullable Double alpha,
    @Key("decomposition_method") Projector projector,
    @Key("para") boolean removing,
    @Key("deft_dropout") double dropout)
    implements DropoutBranch {
  private static final String P = "deft_P";
  private static final String R = "deft_R";

  /** How directions are made of P. */
  public enum Projector {
    RELU,
    QR;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }

    /** Q and K of P. */
    private NDArray[] of(NDArray p) {
      NDArray q = this == QR ? Qr.of(p).q() : p;
      return new NDArray[] {q, this == QR ? q : ActivationFunction.RELU.apply(p)};
    }
  }

  /** Hugging Face's defaults: rank 8, by relu. */
  public Deft() {
    this(8, null, Projector.RELU, false, 0);
  }

  public Deft {
    Checks.rank(rank);
    Checks.probability("dropout", dropout);
  }

  @Override
  public Map<String, Object> constants() {
    return Map.of("init_weights", true, "init_scale", 1.0);
  }

  @Override
  public boolean transposable() {
    return true;
  }

  private double scale(long r) {
    return alpha == null ? 1 : alpha / r;
  }

  @Override
  public void declare(Site site, Declaration theta) {
    long r = Math.min(rank, site.out());
    theta.trained(P, new Shape(site.out(), r), Deft::directions);
    if (!removing) {
      theta.trained(R, new Shape(r, site.in()), (c, shape) -> taken(c, site));
    }
  }

  private static NDArray directions(Init.Context c, Shape shape) {
    return c.once(P, () -> Init.normal(0.02).make(c, shape));
  }

  /** What is taken out, so that it is put in again. */
  private NDArray taken(Init.Context c, Site site) {
    long r = Math.min(rank, site.out());
    NDArray p = directions(c, new Shape(site.out(), r));
    NDArray k = projector.of(p)[1].toType(c.w0().getDataType(), false);
    return Scalars.div(k.transpose().matMul(c.w0()), scale(r));
  }

  @Override
  public NDArray delta(At at) {
    NDArray[] qk = projector.of(at.theta(P));
    NDArray out = qk[1].transpose().matMul(at.w0());
    long r = qk[0].getShape().get(1);
    NDArray in = removing ? out.neg() : Scalars.mul(at.theta(R), scale(r)).sub(out);
    return qk[0].matMul(in);
  }

  @Override
  public String summary() {
    return "rank "
        + rank
        + (alpha == null ? "" : ", alpha " + Patterns.tidy(alpha))
        + (projector == Projector.QR ? ", orthonormal" : "")
        + (removing ? ", nothing put in" : "")
        + (dropout > 0 ? ", dropout " + dropout : "");
  }

  /** The options, for {@code Peft.deft(model)}. */
  public static final class Options<R> extends Keyed.Options<Deft, Options<R>, R> {
    private Options(Draft<Deft, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Deft(), target));
    }

    /** r, at least 1; default 8. */
    public Options<R> rank(int rank) {
      return set("r", rank);
    }

    /** Numerator of the scale {@code alpha / r} of what is put in; default no scale. */
    public Options<R> alpha(double alpha) {
      return set("alpha", alpha);
    }

    /** Makes the directions orthonormal. */
    public Options<R> orthonormal() {
      return set("decomposition_method", Projector.QR);
    }

    /** Puts nothing in (PaRa). */
    public Options<R> removing() {
      return set("para", true);
    }

    /** Dropout on the input of the branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      return set("deft_dropout", p);
    }
  }
}
