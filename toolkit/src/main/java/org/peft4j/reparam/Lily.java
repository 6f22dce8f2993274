package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.LowRank;

/**
 * Lily (Zhong et al., arXiv 2407.09946): {@code y = W0 x + s (p_1 B_1 + ... + p_n B_n) A x}, A
 * {@code [r, in]} of {@code stride} layers in a row, the n B {@code [out, r]} of all modules of one
 * name and shape, p the mean over all tokens of the batch of {@code softmax(R A x)}, R {@code [n,
 * r]} of the one module.
 *
 * <p>So what a text gives depends on those beside it and on its padding, and, with a cache, on how
 * many tokens are read at once. No weight is the same for all batches.
 *
 * @param rank r
 * @param stride how many layers in a row share one A
 * @param experts n
 * @param scale s
 * @param names ends of paths: modules are alike that have the same; or an expression, by which all
 *     are. Empty for the last words of paths
 */
public record Lily(
    @Key("r") int rank,
    @Key("stride_A") int stride,
    @Key("num_B") int experts,
    @Key("scaling") double scale,
    @Key("target_modules") List<String> names)
    implements Keyed {
  private static final String A = "lily_A.weight";
  private static final String B = "lily_B.weight";
  private static final String ROUTER = "lily_router.weight";
  private static final String NAMES = "target_modules";

  /** Hugging Face's defaults: rank 32, 2 experts, an A for each module. */
  public Lily() {
    this(32, 1, 2, 1, List.of());
  }

  public Lily {
    Checks.rank(rank);
    Checks.atLeast("stride_A", 1, stride);
    Checks.atLeast("num_B", 2, experts);
    Checks.finite("scaling", scale);
    names = names.stream().anyMatch(n -> n.contains(".")) ? List.copyOf(names) : List.of();
  }

  /** The method at a site, with the sites that have its A and its B. */
  private record Placed(Lily method, Site down, Site up) implements Keyed {
    @Override
    public String name() {
      return method.name();
    }

    @Override
    public void declare(Site site, Declaration theta) {
      method.declare(site, down, up, theta);
    }

    @Override
    public NDArray forward(At at, NDArray x) {
      return method.forward(at, x);
    }

    @Override
    public Weight effective(At at) {
      return method.effective(at);
    }

    @Override
    public boolean mergeable() {
      return false;
    }
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public boolean mergeable() {
    return false;
  }

  @Override
  public boolean remembers() {
    return true;
  }

  @Override
  public Map<Site, Reparam> plan(List<Site> sites) {
    Map<String, List<Site>> kinds = new LinkedHashMap<>();
    sites.forEach(s -> kinds.computeIfAbsent(kind(s), k -> new ArrayList<>()).add(s));
    Map<Site, Reparam> plan = new LinkedHashMap<>();
    for (Site s : sites) {
      List<Site> alike = kinds.getOrDefault(kind(s), List.of());
      int i = alike.indexOf(s);
      plan.put(s, new Placed(this, alike.get(i - i % stride), alike.get(0)));
    }
    return plan;
  }

  private String kind(Site site) {
    String path = site.path();
    return names.stream()
            .filter(path::endsWith)
            .max(Comparator.comparingInt(String::length))
            .orElse(names.isEmpty() ? path.substring(path.lastIndexOf('.') + 1) : "")
        + site.shape();
  }

  @Override
  public void declare(Site site, Declaration theta) {
    declare(site, site, site, theta);
  }

  private void declare(Site site, Site down, Site up, Declaration theta) {
    if (down.equals(site)) {
      theta.trained(A, new Shape(rank, site.in()), Init.KAIMING);
    } else {
      theta.of(down, A);
    }
    if (up.equals(site)) {
      theta.trained(B, new Shape((long) experts * rank, site.out()), Init.ZEROS);
    } else {
      theta.of(up, B);
    }
    theta.trained(ROUTER, new Shape(experts, rank), Init.KAIMING);
  }

  @Override
  public NDArray forward(At at, NDArray x) {
    NDArray low = at.map(x, at.theta(A), null);
    NDArray each = at.map(low, at.theta(ROUTER), null).softmax(-1);
    NDArray p = each.reshape(-1, experts).mean(new int[] {0}, true);
    long out = at.site().out();
    NDArray b = p.matMul(at.theta(B).reshape(experts, rank * out)).reshape(rank, out);
    return LowRank.add(at.frozen(x), low, b.transpose(), scale);
  }

  @Override
  public Weight effective(At at) {
    throw new IllegalStateException(
        "lily: no weight is the same for all batches\nfound: somebody asks for that of "
            + at.site().path()
            + "\nfix: use lora, where a weight is needed");
  }

  /** With the paths of its modules where their last words do not tell which share a tensor. */
  @Override
  public Reparam finished(List<At> sites) {
    List<String> paths = sites.stream().map(a -> a.site().path()).sorted().toList();
    return names.isEmpty() ? this : Keys.with(this, NAMES, paths);
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>(Keyed.super.toConfig());
    c.remove(NAMES, List.of());
    return c;
  }

  /** The options, for {@code Peft.lily(model)}. */
  public static final class Options<R> extends Keyed.Options<Lily, Options<R>, R> {
    private Options(Draft<Lily, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Lily(), target));
    }

    /** r, at least 1, usually 2 to 4 times that of a LoRA; default 32. */
    public Options<R> rank(int rank) {
      return set("r", rank);
    }

    /** How many layers in a row share one A; default 1. */
    public Options<R> stride(int layers) {
      return set("stride_A", layers);
    }

    /** How many B are mixed, at least 2; default 2. */
    public Options<R> experts(int n) {
      return set("num_B", n);
    }

    /** What the branch is multiplied by; default 1. */
    public Options<R> scale(double factor) {
      return set("scaling", factor);
    }
  }
}
