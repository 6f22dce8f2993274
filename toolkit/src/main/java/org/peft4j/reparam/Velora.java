package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scalars;

/**
 * VeLoRA (Miles et al., arXiv 2405.17991): LoRA that keeps less of its inputs for the backward
 * pass. Each input is cut into groups of {@code d = in / groups} numbers (zeros at the end where
 * they do not fit), of which only the products with a unit vector v {@code [d]} are kept; A's
 * gradient is that of the inputs rebuilt from them, {@code scale (x_g . v) v}. All else is LoRA's.
 *
 * @param groups at least 1; more of them keep more
 * @param scale of the rebuilt inputs, above 0
 * @param vector where v comes from
 */
public record Velora(Lora lora, int groups, double scale, Vector vector) implements OnLora {
  private static final String V = "lora_velora_embed";
  private static final String CONFIG = "velora_config";

  /** Where the unit vector comes from. */
  public enum Vector {
    /** The mean of each batch's groups. */
    BATCH_AVERAGE,
    /** The mean of the first batch's groups. */
    BATCH_AVERAGE_ONCE,
    /** Chance. */
    RANDOM;

    String text() {
      return name().toLowerCase(Locale.ROOT);
    }

    static Vector of(String text) {
      for (Vector v : values()) {
        if (v.text().equals(text)) {
          return v;
        }
      }
      throw new IllegalArgumentException(
          "init_type\nexpected: batch_average, batch_average_once or random\nfound: " + text);
    }
  }

  /** LoRA's defaults, 64 groups, the mean of each batch. */
  public Velora() {
    this(new Lora(), 64, 1, Vector.BATCH_AVERAGE);
  }

  public Velora {
    Checks.atLeast("num_groups", 1, groups);
    Checks.positive("scale", scale);
  }

  @Override
  public String name() {
    return "velora";
  }

  @Override
  public Velora on(Lora other) {
    return new Velora(other, groups, scale, vector);
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR);
  }

  private long size(Site site) {
    return (site.in() + groups - 1) / groups;
  }

  @Override
  public void declare(Site site, Declaration theta) {
    lora.declare(site, theta);
    Init start =
        vector == Vector.RANDOM
            ? (c, shape) -> unit(c.seed().normal(c.manager(), shape, 1))
            : Init.ZEROS; // not known yet
    theta.accumulated(V, new Shape(size(site)), start);
  }

  @Override
  public NDArray forward(At at, NDArray x) {
    if (!at.pass().training()) {
      return lora.forward(at, x);
    }
    NDArray seen = at.dropout(lora.dropout(), x);
    NDArray a = at.theta(Lora.A);
    NDArray fixed = a.stopGradient();
    NDArray rest = compressed(at, seen.stopGradient(), a.sub(fixed)); // 0, for A's gradient alone
    return lora.raised(at, at.frozen(x), at.map(seen, fixed, null).add(rest));
  }

  /** What a factor {@code [r, in]} makes of x rebuilt from its products with v. */
  private NDArray compressed(At at, NDArray x, NDArray factor) {
    NDArray cut = groups(at.site(), x);
    NDArray v = vector(at, cut).reshape(-1, 1);
    NDArray kept = cut.matMul(v).squeeze(-1); // [..., groups]
    NDArray along = groups(at.site(), factor).matMul(v).squeeze(-1);
    return at.map(kept, Scalars.mul(along, scale), null);
  }

  /** {@code [..., in]} as {@code [..., groups, d]}. */
  private NDArray groups(Site site, NDArray x) {
    Shape shape = x.getShape();
    Shape before = shape.slice(0, shape.dimension() - 1);
    long missing = size(site) * groups - site.in();
    NDArray whole =
        missing == 0
            ? x
            : NDArrays.concat(
                new NDList(x, x.getManager().zeros(before.add(missing), x.getDataType())), -1);
    return whole.reshape(before.add(groups, size(site)));
  }

  private NDArray vector(At at, NDArray cut) {
    NDArray v = at.theta(V);
    boolean known =
        vector == Vector.RANDOM
            || (vector == Vector.BATCH_AVERAGE_ONCE && v.abs().max().getFloat() > 0);
    if (!known) {
      Buffers.copy(unit(cut.reshape(-1, v.size()).mean(new int[] {0})), v);
    }
    return v;
  }

  private static NDArray unit(NDArray v) {
    NDArray length = v.norm();
    return length.getFloat() == 0 ? unit(v.onesLike()) : v.div(length);
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> own = new LinkedHashMap<>();
    own.put("init_type", vector.text());
    own.put("num_groups", (long) groups);
    own.put("scale", scale);
    Map<String, Object> c = new LinkedHashMap<>(lora.toConfig());
    c.put(CONFIG, own);
    return c;
  }

  static boolean in(Entries c) {
    return c.has(CONFIG);
  }

  static Velora fromConfig(Entries c) {
    Entries own = c.section(CONFIG);
    Velora read =
        new Velora(
            Lora.fromConfig(c),
            own.integer("num_groups", 64),
            own.number("scale", 1),
            Vector.of(own.text("init_type", Vector.BATCH_AVERAGE.text())));
    own.requireAllRead();
    return read;
  }

  @Override
  public String summary() {
    return lora.summary() + ", inputs kept as " + groups + " numbers";
  }

  /** The options, for {@code Peft.velora(model)}. */
  public static final class Options<R> extends LoraOptions<Velora, Options<R>, R> {
    private Options(Draft<Velora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Velora(), target));
    }

    /** Numbers that are kept of each token's input; default 64. */
    public Options<R> groups(int groups) {
      return with(new Velora(tuner().lora, groups, tuner().scale, tuner().vector));
    }

    /** Scale of the rebuilt inputs; default 1. */
    public Options<R> scale(double scale) {
      return with(new Velora(tuner().lora, tuner().groups, scale, tuner().vector));
    }

    /** Where the unit vector comes from; default {@link Vector#BATCH_AVERAGE}. */
    public Options<R> vector(Vector vector) {
      return with(new Velora(tuner().lora, tuner().groups, tuner().scale, vector));
    }
  }
}
