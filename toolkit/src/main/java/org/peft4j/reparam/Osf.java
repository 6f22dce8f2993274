package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Svd;

/**
 * OSF (Nayak et al., arXiv 2504.07097): with {@code W0 = U diag(S) V}, the k largest singular
 * directions stay and the others are trained, U {@code [out, n - k]}, S {@code [n - k]} and V
 * {@code [n - k, in]}, n the smaller side of W0. Gradients of U and V lose what lies in the
 * directions that stay, so that what these do is not unlearned.
 *
 * @param kept k, or, below 1, what part of n
 * @param keptPattern the same by module: the first regular expression that is found in its path
 */
public record Osf(
    @Key("effective_rank") double kept, @Key("rank_pattern") Map<String, Double> keptPattern)
    implements Additive, Keyed {
  private static final String PARAMETERS = "osf_svd_params.";
  private static final String U = PARAMETERS + "U_low";
  private static final String S = PARAMETERS + "S_low";
  private static final String V = PARAMETERS + "V_low";
  private static final String U_START = "osf_U_start";
  private static final String V_START = "osf_V_start";
  private static final String U_KEPT = "osf_U_high";
  private static final String V_KEPT = "osf_V_high";

  /** Hugging Face's default: half of all directions stay. */
  public Osf() {
    this(0.5, Map.of());
  }

  public Osf {
    requirePositive(kept);
    keptPattern = Patterns.ordered(keptPattern);
    keptPattern.values().forEach(Osf::requirePositive);
  }

  private static void requirePositive(double kept) {
    if (!(kept > 0 && Double.isFinite(kept))) {
      throw new IllegalArgumentException(
          "effective_rank\nexpected: a number of directions, or a part of them below 1\nfound: "
              + Patterns.tidy(kept));
    }
  }

  @Override
  public Map<String, Object> constants() {
    return Map.of("init_weights", true, "target_svd_config", Patterns.NULL);
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public List<String> usualTargets(List<Site> sites) {
    return List.of("all-linear");
  }

  @Override
  public Osf at(Site site) {
    return keptPattern.entrySet().stream()
        .filter(e -> Pattern.compile(e.getKey()).matcher(site.path()).find())
        .findFirst()
        .map(e -> new Osf(e.getValue(), Map.of()))
        .orElse(this);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    long all = Math.min(site.in(), site.out());
    long k = (long) (kept < 1 ? all * kept : kept);
    Checks.atLeast("effective_rank at " + site.path(), 1, k);
    Checks.atMost("effective_rank", site.path() + " but one", all - 1, k);
    theta.trained(U, new Shape(site.out(), all - k), (c, s) -> svd(c).u().get(":, {}:", k));
    theta.trained(S, new Shape(all - k), (c, s) -> svd(c).s().get("{}:", k));
    theta.trained(V, new Shape(all - k, site.in()), (c, s) -> svd(c).vh().get("{}:", k));
    theta.derived(
        U_START,
        new Shape(site.out(), all - k),
        (c, s) -> svd(c).u().mul(svd(c).s()).get(":, {}:", k));
    theta.derived(V_START, new Shape(all - k, site.in()), (c, s) -> svd(c).vh().get("{}:", k));
    theta.derived(U_KEPT, new Shape(site.out(), k), (c, s) -> svd(c).u().get(":, :{}", k));
    theta.derived(V_KEPT, new Shape(k, site.in()), (c, s) -> svd(c).vh().get(":{}", k));
  }

  private static Svd svd(Init.Context c) {
    return c.once("directions", () -> Svd.precise(c.w0()));
  }

  /** {@code [U diag(S), -U0 diag(S0)]}, {@code [out, 2 (n - k)]}. */
  private static NDArray left(At at) {
    NDArray u = at.theta(U);
    NDArray kept = at.theta(U_KEPT);
    NDArray free = free(at, U, u, () -> u.sub(kept.matMul(kept.transpose().matMul(u))));
    return free.mul(at.theta(S)).concat(at.theta(U_START).neg(), 1);
  }

  /** {@code [V; V0]}, {@code [2 (n - k), in]}. */
  private static NDArray right(At at) {
    NDArray v = at.theta(V);
    NDArray kept = at.theta(V_KEPT);
    NDArray free = free(at, V, v, () -> v.sub(v.matMul(kept.transpose()).matMul(kept)));
    return free.concat(at.theta(V_START), 0);
  }

  /** The same value, whose gradient in training is that of the part which may move. */
  private static NDArray free(At at, String name, NDArray whole, Supplier<NDArray> part) {
    if (!at.pass().training()) {
      return whole;
    }
    NDArray moving = part.get();
    return at.constant(name, () -> whole.sub(moving)).add(moving);
  }

  @Override
  public NDArray delta(At at) {
    return left(at).matMul(right(at));
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    return at.map(at.map(x, right(at), null), left(at), null);
  }

  @Override
  public String summary() {
    return "keeps "
        + (kept < 1 ? Patterns.tidy(100 * kept) + " % of the" : Patterns.tidy(kept))
        + " directions"
        + (keptPattern.isEmpty() ? "" : ", others " + keptPattern);
  }

  /** The options, for {@code Peft.osf(model)}. */
  public static final class Options<R> extends Keyed.Options<Osf, Options<R>, R> {
    private Options(Draft<Osf, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Osf(), target));
    }

    /** How many singular directions stay or, below 1, what part of them; default 0.5. */
    public Options<R> keep(double directions) {
      return set("effective_rank", directions);
    }
  }
}
