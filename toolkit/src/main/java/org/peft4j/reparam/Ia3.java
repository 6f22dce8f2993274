package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;

/**
 * IA3 (Liu et al., arXiv 2205.05638): one trained factor l per output, {@code W = diag(l) W0},
 * {@code b = l b0}, or, in the feed-forward part, per input: {@code W = W0 diag(l)}. All are 1 at
 * first. Without targets: keys, values, and the second layer of the feed-forward part.
 *
 * @param feedForward ends of the names of modules whose inputs are scaled; null for those with the
 *     roles {@code down} and {@code fc2}
 */
public record Ia3(@Nullable List<String> feedForward) implements Reparam {
  private static final String L = "ia3_l";
  private static final Set<String> SECOND = Set.of("down", "fc2");
  private static final List<String> USUAL = List.of("k", "v", "down", "fc2");

  /** With roles to tell inputs from outputs. */
  public Ia3() {
    this(null);
  }

  public Ia3 {
    feedForward = feedForward == null ? null : List.copyOf(feedForward);
  }

  @Override
  public String name() {
    return "ia3";
  }

  @Override
  public String peftType() {
    return "IA3";
  }

  @Override
  public boolean transposable() {
    return true;
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR, Kind.CONV);
  }

  @Override
  public List<String> usualTargets(List<Site> sites) {
    return USUAL.stream().filter(r -> sites.stream().anyMatch(s -> r.equals(s.role()))).toList();
  }

  private boolean scalesInput(Site site) {
    return feedForward == null
        ? site.role() != null && SECOND.contains(site.role())
        : feedForward.stream().anyMatch(site.path()::endsWith);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    boolean input = scalesInput(site);
    long size = input ? site.in() : site.out();
    Shape linear = input ? new Shape(1, size) : new Shape(size, 1);
    int space = site.shape().dimension() - 2;
    Shape conv = new Shape(1, size).addAll(Patterns.ones(space));
    theta.trained(L, site.kind() == Kind.CONV ? conv : linear, Init.ONES);
  }

  /** l along the weight's inputs or outputs, or a bias's. */
  private static NDArray along(At at, int before, int after) {
    Shape shape = Patterns.ones(before).add(-1).addAll(Patterns.ones(after));
    return at.theta(L).reshape(shape);
  }

  @Override
  public Weight effective(At at) {
    int others = at.site().shape().dimension() - 1;
    NDArray w0 = at.w0();
    NDArray b0 = at.b0();
    if (scalesInput(at.site())) {
      return new Weight(w0.mul(along(at, 1, others - 1)), b0);
    }
    NDArray bias = b0 == null ? null : b0.mul(along(at, 0, 0));
    return new Weight(w0.mul(along(at, 0, others)), bias);
  }

  @Override
  public NDArray forward(At at, NDArray x) {
    boolean conv = at.site().kind() == Kind.CONV;
    NDArray l = conv ? at.theta(L) : along(at, 0, 0);
    return scalesInput(at.site()) ? at.frozen(x.mul(l)) : at.frozen(x).mul(l);
  }

  /** With the names that Hugging Face needs to know inputs from outputs. */
  @Override
  public Reparam finished(List<At> sites) {
    if (feedForward != null) {
      return this;
    }
    List<Site> inputs = new ArrayList<>();
    List<Site> outputs = new ArrayList<>();
    sites.forEach(at -> (scalesInput(at.site()) ? inputs : outputs).add(at.site()));
    Set<String> ends = new LinkedHashSet<>();
    inputs.forEach(s -> ends.add(s.path().substring(s.path().lastIndexOf('.') + 1)));
    boolean clear =
        outputs.stream().noneMatch(s -> ends.stream().anyMatch(e -> s.path().endsWith(e)));
    return new Ia3(clear ? List.copyOf(ends) : inputs.stream().map(Site::path).toList());
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("feedforward_modules", feedForward == null ? Entries.NULL : feedForward);
    c.put("init_ia3_weights", true);
    return c;
  }

  static Ia3 fromConfig(Entries c) {
    c.accept("fan_in_fan_out", "init_ia3_weights");
    boolean silent = !c.has("feedforward_modules") && !c.has("peft_type"); // no file, but a user
    return new Ia3(silent ? null : c.texts("feedforward_modules"));
  }

  @Override
  public String summary() {
    return "factors of outputs" + (feedForward == null ? "" : ", of inputs at " + feedForward);
  }

  /** IA3's options, for {@code Peft.ia3(model)}. */
  public static final class Options<R> extends Fluent<Ia3, Options<R>, R> {
    private Options(Draft<Ia3, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Ia3(), target));
    }

    /** Modules whose inputs are scaled, by the ends of their names; default those of the role. */
    public Options<R> feedForward(String... names) {
      return with(new Ia3(List.of(names)));
    }
  }
}
