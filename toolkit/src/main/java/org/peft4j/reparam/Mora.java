package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;

/**
 * MoRA (Jiang et al., arXiv 2405.12130): one square matrix M {@code [q, q]} with as many elements
 * as a LoRA of rank r, {@code q = floor(sqrt((in + out) r))}, between a compression of the input to
 * q numbers and a decompression to the outputs, neither of which is trained: {@code y = x W0^T +
 * decompress(M compress(x))}. M starts at 0. Where q exceeds a side, it is that side.
 *
 * @param rank r of the LoRA whose budget it has
 * @param operator how inputs are compressed
 */
public record Mora(int rank, Operator operator) implements Additive {
  private static final String M = "mora_M";
  private static final double BASE = 10000;

  /** How q numbers are made of the inputs, and the outputs of q numbers. */
  public enum Operator {
    /** The first q inputs; outputs beyond q get nothing. */
    TRUNCATION,
    /** Inputs whose numbers are equal modulo q are added; outputs are repeated. */
    SHARING,
    /** M acts on each run of q inputs alone; what it gives are runs of outputs. */
    DECOUPLING,
    /** As decoupling, after each run is turned by an angle of its own, as rotary positions do. */
    ROTATION;

    private static Operator of(String text) {
      for (Operator o : values()) {
        if (o.toString().equals(text.toLowerCase(Locale.ROOT))) {
          return o;
        }
      }
      throw new IllegalArgumentException(
          "operator\nexpected: truncation, sharing, decoupling or rotation\nfound: " + text);
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** The budget of rank 8, rotation. */
  public Mora() {
    this(8, Operator.ROTATION);
  }

  public Mora {
    Checks.rank(rank);
  }

  @Override
  public String name() {
    return "mora";
  }

  @Override
  public String peftType() {
    return "MORA";
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR);
  }

  /** q at this site; even for rotation. */
  private long size(Site site) {
    long q = (long) Math.floor(Math.sqrt((double) (site.in() + site.out()) * rank));
    q = Math.min(q, Math.min(site.in(), site.out()));
    return operator == Operator.ROTATION ? Math.max(2, q / 2 * 2) : q;
  }

  @Override
  public void declare(Site site, Declaration theta) {
    long q = size(site);
    theta.trained(M, new Shape(q, q), Init.ZEROS);
  }

  @Override
  public NDArray delta(At at) {
    return onUnits(at, units -> branch(at, units));
  }

  /** The matrix of a branch: what it computes on every unit vector. */
  static NDArray onUnits(At at, UnaryOperator<NDArray> branch) {
    NDArray m = at.theta(M);
    NDArray units = m.getManager().eye((int) at.site().in());
    NDArray typed = units.toType(m.getDataType(), false);
    return branch.apply(typed).transpose();
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    NDArray m = at.theta(M);
    long q = m.getShape().get(0);
    long in = at.site().in();
    long out = at.site().out();
    Shape batch = x.getShape().slice(0, x.getShape().dimension() - 1);
    NDArray rows = x.reshape(-1, in);
    NDArray y =
        switch (operator) {
          case TRUNCATION -> padded(linear(rows.get(":, :{}", q), m), out);
          case SHARING -> repeated(linear(runs(rows, q).sum(new int[] {1}), m), out);
          case DECOUPLING -> decoupled(runs(rows, q), m, out);
          case ROTATION -> decoupled(turned(runs(rows, q)), m, out);
        };
    return y.reshape(batch.add(out));
  }

  private static NDArray linear(NDArray x, NDArray m) {
    return Operation.LINEAR.apply(x, m, null);
  }

  /** {@code [n, in]} as {@code [n, runs, q]}, the last run filled up with zeros. */
  private static NDArray runs(NDArray rows, long q) {
    long in = rows.getShape().get(1);
    long n = (in + q - 1) / q;
    return padded(rows, n * q).reshape(-1, n, q);
  }

  private static NDArray padded(NDArray rows, long width) {
    long missing = width - rows.getShape().get(1);
    if (missing == 0) {
      return rows;
    }
    NDManager manager = rows.getManager();
    Shape gap = new Shape(rows.getShape().get(0), missing);
    return rows.concat(manager.zeros(gap, rows.getDataType()), 1);
  }

  /** The columns again and again until there are {@code width}. */
  private static NDArray repeated(NDArray rows, long width) {
    NDArray all = rows;
    while (all.getShape().get(1) < width) {
      all = all.concat(rows, 1);
    }
    return all.getShape().get(1) == width ? all : all.get(":, :{}", width);
  }

  private static NDArray decoupled(NDArray runs, NDArray m, long out) {
    NDArray y = linear(runs, m);
    return repeated(y.reshape(-1, y.getShape().get(1) * y.getShape().get(2)), out);
  }

  /** Pair (i, i + q / 2) of run n turned by {@code n / 10000^(2 i / q)}. */
  private static NDArray turned(NDArray runs) {
    long n = runs.getShape().get(1);
    long half = runs.getShape().get(2) / 2;
    NDArray cos = angles(runs, n, half, true);
    NDArray sin = angles(runs, n, half, false);
    NDArray a = runs.get(":, :, :{}", half);
    NDArray b = runs.get(":, :, {}:", half);
    return a.mul(cos).sub(b.mul(sin)).concat(b.mul(cos).add(a.mul(sin)), 2);
  }

  private static NDArray angles(NDArray like, long runs, long half, boolean cosine) {
    return Buffers.create(
            like.getManager(),
            new Shape(runs, half),
            DataType.FLOAT64,
            out -> {
              for (int r = 0; r < runs; r++) {
                for (int i = 0; i < half; i++) {
                  double angle = r * Math.pow(BASE, -(double) i / half);
                  out.putDouble(cosine ? Math.cos(angle) : Math.sin(angle));
                }
              }
            })
        .toType(like.getDataType(), false);
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("r", rank);
    c.put("operator", operator.toString());
    return c;
  }

  static Mora fromConfig(Entries c) {
    return new Mora(c.integer("r", 8), Operator.of(c.text("operator", "rotation")));
  }

  @Override
  public String summary() {
    return "budget of rank " + rank + ", " + operator;
  }

  /** The options, for {@code Peft.mora(model)}. */
  public static final class Options<R> extends Fluent<Mora, Options<R>, R> {
    private Options(Draft<Mora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Mora(), target));
    }

    /** r of the LoRA whose number of parameters M has; default 8. */
    public Options<R> rank(int rank) {
      return with(new Mora(rank, tuner().operator));
    }

    /** How inputs are compressed; default rotation. */
    public Options<R> operator(Operator operator) {
      return with(new Mora(tuner().rank, operator));
    }
  }
}
