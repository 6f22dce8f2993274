package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
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
 * Tied-LoRA (Renduchintala et al., arXiv 2311.09578): {@code W = W0 + s diag(v) B diag(u) A} with A
 * {@code [r, in]} and B {@code [out, r]} shared by all sites of these sizes, and u {@code [r]} and
 * v {@code [out]} of each site its own; {@code s = alpha / r}. A starts Kaiming-uniform, u at 1,
 * and B at 0, or, where B is not trained, v at 0.
 *
 * @param trained which of A, B, u and v are trained: some of the letters {@code ABuv}
 */
public record TiedLora(int rank, double alpha, double dropout, String trained) implements Additive {
  /** Rank 8, alpha 8, all trained. */
  public TiedLora() {
    this(8, 8, 0, "ABuv");
  }

  public TiedLora {
    Checks.rank(rank);
    Checks.finite("alpha", alpha);
    Checks.probability("dropout", dropout);
    if (!trained.matches("A?B?u?v?") || trained.isEmpty() || "Au".contains(trained)) {
      throw new IllegalArgumentException(
          "trained\nexpected: some of ABuv in this order, B or v among them\nfound: " + trained);
    }
  }

  @Override
  public String name() {
    return "tied_lora";
  }

  @Override
  public String peftType() {
    return "TIED_LORA";
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR);
  }

  private boolean trains(String letter) {
    return trained.contains(letter);
  }

  private static String a(Site site) {
    return "tied_lora_A." + site.in();
  }

  private static String b(Site site) {
    return "tied_lora_B." + site.out();
  }

  @Override
  public void declareShared(List<Site> sites, Declaration theta) {
    Set<Long> ins = new TreeSet<>();
    Set<Long> outs = new TreeSet<>();
    List<Site> firstIn = new ArrayList<>();
    List<Site> firstOut = new ArrayList<>();
    for (Site s : sites) {
      if (ins.add(s.in())) {
        firstIn.add(s);
      }
      if (outs.add(s.out())) {
        firstOut.add(s);
      }
    }
    firstIn.forEach(s -> declare(theta, "A", a(s), new Shape(rank, s.in()), Init.KAIMING));
    Init start = trains("B") ? Init.ZEROS : Init.KAIMING;
    firstOut.forEach(s -> declare(theta, "B", b(s), new Shape(s.out(), rank), start));
  }

  @Override
  public void declare(Site site, Declaration theta) {
    declare(theta, "u", "tied_lora_u", new Shape(rank), Init.ONES);
    declare(theta, "v", "tied_lora_v", new Shape(site.out()), trains("B") ? Init.ONES : Init.ZEROS);
  }

  private void declare(Declaration theta, String letter, String name, Shape shape, Init init) {
    if (trains(letter)) {
      theta.trained(name, shape, init);
    } else {
      theta.saved(name, shape, init);
    }
  }

  @Override
  public NDArray delta(At at) {
    NDArray a = at.theta(a(at.site())).mul(at.theta("tied_lora_u").expandDims(1));
    NDArray b = at.theta(b(at.site())).mul(at.theta("tied_lora_v").expandDims(1));
    return Scalars.mul(b.matMul(a), alpha / rank);
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    NDArray low = at.map(at.dropout(dropout, x), at.theta(a(at.site())), null);
    NDArray high = at.map(low.mul(at.theta("tied_lora_u")), at.theta(b(at.site())), null);
    return Scalars.mul(high.mul(at.theta("tied_lora_v")), alpha / rank);
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("r", rank);
    c.put("alpha", Patterns.tidy(alpha));
    c.put("dropout", dropout);
    c.put("trained", trained);
    return c;
  }

  static TiedLora fromConfig(Entries c) {
    return new TiedLora(
        c.integer("r", 8), c.number("alpha", 8), c.number("dropout", 0), c.text("trained", "ABuv"));
  }

  @Override
  public String summary() {
    return "rank " + rank + ", alpha " + Patterns.tidy(alpha) + ", trains " + trained;
  }

  /** The options, for {@code Peft.tiedLora(model)}. */
  public static final class Options<R> extends Fluent<TiedLora, Options<R>, R> {
    private Options(Draft<TiedLora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new TiedLora(), target));
    }

    /** r, at least 1; default 8. */
    public Options<R> rank(int rank) {
      TiedLora t = tuner();
      return with(new TiedLora(rank, t.alpha, t.dropout, t.trained));
    }

    /** Numerator of the scale {@code alpha / r}; default 8. */
    public Options<R> alpha(double alpha) {
      TiedLora t = tuner();
      return with(new TiedLora(t.rank, alpha, t.dropout, t.trained));
    }

    /** Dropout on the input of the branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      TiedLora t = tuner();
      return with(new TiedLora(t.rank, t.alpha, p, t.trained));
    }

    /** Which of A, B, u and v are trained: some of the letters {@code ABuv}; default all. */
    public Options<R> train(String letters) {
      TiedLora t = tuner();
      return with(new TiedLora(t.rank, t.alpha, t.dropout, letters));
    }
  }
}
