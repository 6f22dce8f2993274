package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scalars;

/**
 * MultiLoRA (Wang et al., arXiv 2311.11501): {@code W = W0 + s sum_i diag(g_i) B_i A_i}, n parallel
 * LoRAs whose A and B both start Kaiming-uniform, and whose trained gains g_i {@code [out]} start
 * at zero; {@code s = alpha / r}.
 *
 * @param pairs n, at least 1
 */
public record MultiLora(int pairs, int rank, double alpha, double dropout) implements Additive {
  /** 3 pairs of rank 8, alpha 8. */
  public MultiLora() {
    this(3, 8, 8, 0);
  }

  public MultiLora {
    if (pairs < 1) {
      throw new IllegalArgumentException("num_loras: expected at least 1, found " + pairs);
    }
    Checks.rank(rank);
    Checks.finite("alpha", alpha);
    Checks.probability("dropout", dropout);
  }

  @Override
  public String name() {
    return "multilora";
  }

  @Override
  public String peftType() {
    return "MULTILORA";
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    for (int i = 0; i < pairs; i++) {
      theta.trained("multilora_A." + i, new Shape(rank, site.in()), Init.KAIMING);
      theta.trained("multilora_B." + i, new Shape(site.out(), rank), Init.KAIMING);
      theta.trained("multilora_gain." + i, new Shape(site.out()), Init.ZEROS);
    }
  }

  @Override
  public NDArray delta(At at) {
    NDArray sum = null;
    for (int i = 0; i < pairs; i++) {
      NDArray gained =
          at.theta("multilora_B." + i).mul(at.theta("multilora_gain." + i).expandDims(1));
      NDArray one = gained.matMul(at.theta("multilora_A." + i));
      sum = sum == null ? one : sum.add(one);
    }
    return scaled(sum);
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    NDArray dropped = at.dropout(dropout, x);
    NDArray sum = null;
    for (int i = 0; i < pairs; i++) {
      NDArray low = at.map(dropped, at.theta("multilora_A." + i), null);
      NDArray one =
          at.map(low, at.theta("multilora_B." + i), null).mul(at.theta("multilora_gain." + i));
      sum = sum == null ? one : sum.add(one);
    }
    return scaled(sum);
  }

  private NDArray scaled(@Nullable NDArray sum) {
    return Scalars.mul(Objects.requireNonNull(sum), alpha / rank);
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("num_loras", pairs);
    c.put("r", rank);
    c.put("alpha", Patterns.tidy(alpha));
    c.put("dropout", dropout);
    return c;
  }

  static MultiLora fromConfig(Entries c) {
    return new MultiLora(
        c.integer("num_loras", 3), c.integer("r", 8), c.number("alpha", 8), c.number("dropout", 0));
  }

  @Override
  public String summary() {
    return pairs + " pairs of rank " + rank + ", alpha " + Patterns.tidy(alpha);
  }

  /** The options, for {@code Peft.multiLora(model)}. */
  public static final class Options<R> extends Fluent<MultiLora, Options<R>, R> {
    private Options(Draft<MultiLora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new MultiLora(), target));
    }

    /** Number of parallel LoRAs; default 3. */
    public Options<R> pairs(int n) {
      MultiLora t = tuner();
      return with(new MultiLora(n, t.rank, t.alpha, t.dropout));
    }

    /** r of each; default 8. */
    public Options<R> rank(int rank) {
      MultiLora t = tuner();
      return with(new MultiLora(t.pairs, rank, t.alpha, t.dropout));
    }

    /** Numerator of the scale {@code alpha / r}; default 8. */
    public Options<R> alpha(double alpha) {
      MultiLora t = tuner();
      return with(new MultiLora(t.pairs, t.rank, alpha, t.dropout));
    }

    /** Dropout on the input of the branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      MultiLora t = tuner();
      return with(new MultiLora(t.pairs, t.rank, t.alpha, p));
    }
  }
}
