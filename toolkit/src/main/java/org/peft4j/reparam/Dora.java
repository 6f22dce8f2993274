package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Storage;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.Scalars;

/**
 * DoRA (Liu et al., arXiv 2402.09353): {@code W = m (W0 + s B A) / |W0 + s B A|} with one trained
 * magnitude m per output and the norm taken per output; the norm is constant to the gradient
 * (section 4.3). m starts at the norms of W0, so the start is W0.
 *
 * @param lora the direction's factors and their options
 */
public record Dora(Lora lora) implements Reparam {
  private static final String M = "lora_magnitude_vector";
  private static final String SQUARES = "w0_squares";

  /** On LoRA's defaults. */
  public Dora() {
    this(new Lora());
  }

  public Dora {
    if (lora.loraBias()) {
      throw new IllegalArgumentException("lora_bias: not possible with DoRA");
    }
    if (lora.init().fromData()) {
      throw new IllegalArgumentException(
          "init: not possible with DoRA, found " + lora.init() + "\nfix: use it with lora");
    }
  }

  @Override
  public String name() {
    return "dora";
  }

  @Override
  public String peftType() {
    return lora.peftType();
  }

  @Override
  public boolean transposable() {
    return true;
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR, Kind.CONV, Kind.EMBEDDING);
  }

  @Override
  public Dora at(Site site) {
    Lora here = lora.at(site);
    return here.equals(lora) ? this : new Dora(here);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    lora.declare(site, theta);
    Kind kind = site.kind();
    int space = site.shape().dimension() - 2;
    Shape m =
        kind == Kind.CONV
            ? new Shape(1, site.out()).addAll(Patterns.ones(space))
            : new Shape(site.out());
    theta.trained(M, m, (c, shape) -> squares(c.w0(), kind).sqrt().reshape(shape));
    if (kind == Kind.LINEAR) {
      Init init = (c, shape) -> squares(c.w0(), kind);
      theta.derived(SQUARES, new Shape(site.out()), init);
    }
  }

  /** Sum of squares per output, {@code [out]}. */
  private static NDArray squares(NDArray w, Kind kind) {
    if (kind == Kind.EMBEDDING) {
      return w.mul(w).sum(new int[] {0});
    }
    NDArray rows = w.getShape().dimension() == 2 ? w : w.reshape(w.getShape().get(0), -1);
    return rows.mul(rows).sum(new int[] {1});
  }

  @Override
  public @Nullable NDArray shift(At at) {
    return lora.shift(at);
  }

  @Override
  public @Nullable Storage storage() {
    return lora.storage();
  }

  /** {@code m / |W0 + s B A|}, {@code [out]}. */
  private NDArray gain(At at) {
    NDArray norm = at.constant("norm", () -> norm(at));
    return at.theta(M).reshape(-1).div(norm);
  }

  /**
   * For a matrix without B A in full: {@code |w + s b A|^2 = |w|^2 + 2 s b . A w + s^2 b A A^T b^T}
   * per row w of W0 and b of B.
   */
  private NDArray norm(At at) {
    if (at.site().kind() != Kind.LINEAR || lora.init().shifts()) {
      return squares(at.w0().add(lora.delta(at)), at.site().kind()).sqrt();
    }
    double s = lora.scale();
    NDArray a = at.theta(Lora.A);
    NDArray b = at.theta(Lora.B);
    NDArray cross = at.frozenWithoutBias(a).transpose().mul(b); // [out, r]
    NDArray square = b.matMul(a.matMul(a.transpose())).mul(b);
    NDArray both = Scalars.mul(cross, 2 * s).add(Scalars.mul(square, s * s));
    return at.theta(SQUARES).add(both.sum(new int[] {1})).sqrt();
  }

  @Override
  public Weight effective(At at) {
    NDArray direction = at.w0().add(lora.delta(at));
    NDArray norm = at.constant("norm", () -> squares(direction, at.site().kind()).sqrt());
    NDArray gain = at.theta(M).reshape(-1).div(norm);
    int others = at.site().kind() == Kind.EMBEDDING ? 0 : direction.getShape().dimension() - 1;
    NDArray perOutput = gain.reshape(new Shape(-1).addAll(Patterns.ones(others)));
    return new Weight(direction.mul(perOutput), at.b0());
  }

  @Override
  public NDArray forward(At at, NDArray x) {
    NDArray gain = gain(at);
    if (at.site().kind() == Kind.CONV) {
      gain = gain.reshape(new Shape(-1).addAll(Patterns.ones(x.getShape().dimension() - 2)));
    }
    NDArray dropped = at.site().kind() == Kind.EMBEDDING ? x : at.dropout(lora.dropout(), x);
    Lora branch = lora.withDropout(0);
    if (dropped != x) { // the frozen output sees x, what DoRA adds to it sees what dropout left
      NDArray base = at.frozenWithoutBias(dropped);
      NDArray added = gain.mul(base.add(branch.branch(at, dropped))).sub(base);
      return at.frozen(x).add(added);
    }
    NDArray y = gain.mul(at.frozenWithoutBias(x).add(branch.branch(at, x)));
    NDArray bias = at.b0();
    if (bias == null) {
      return y;
    }
    boolean conv = at.site().kind() == Kind.CONV;
    int space = y.getShape().dimension() - 2;
    return y.add(conv ? bias.reshape(new Shape(-1).addAll(Patterns.ones(space))) : bias);
  }

  @Override
  public Reparam fitted(List<Site> sites, BiFunction<Site, String, @Nullable Shape> shapes) {
    return new Dora(lora.fitted(sites, shapes));
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>(lora.toConfig());
    c.put("use_dora", true);
    return c;
  }

  static Dora fromConfig(Entries c) {
    c.accept("use_dora");
    return new Dora(Lora.fromConfig(c));
  }

  @Override
  public String summary() {
    return lora.summary() + ", magnitudes trained apart";
  }

  /** The options, for {@code Peft.dora(model)}. */
  public static final class Options<R> extends Fluent<Dora, Options<R>, R> {
    private Options(Draft<Dora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Dora(), target));
    }

    private Options<R> on(Lora lora) {
      return with(new Dora(lora));
    }

    /** r, at least 1; default 8. */
    public Options<R> rank(int rank) {
      return on(tuner().lora.withRank(rank));
    }

    /** Numerator of the scale {@code alpha / r}; default 8. */
    public Options<R> alpha(double alpha) {
      return on(tuner().lora.withAlpha(alpha));
    }

    /** Dropout on the input of what is added, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      return on(tuner().lora.withDropout(p));
    }

    /** Scales by {@code alpha / sqrt(r)}. */
    public Options<R> rsLora() {
      return on(tuner().lora.withRsLora());
    }

    /** How A and B start; default {@link LoraInit#KAIMING}. */
    public Options<R> init(LoraInit init) {
      return on(tuner().lora.withInit(init));
    }
  }
}
