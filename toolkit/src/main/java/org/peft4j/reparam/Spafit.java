package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;

/**
 * SPAFIT (Arora and Wang, arXiv 2405.00201): three groups of layers. The lowest stay as they are;
 * in the middle ones biases are trained; in the highest biases, and LoRA on some projections:
 * {@code W = W0 + s B A}, {@code b = theta}, {@code s = alpha / r}. Without targets: all that has a
 * bias or a LoRA.
 *
 * @param loraTargets where LoRA acts in the highest layers: roles, or ends of names
 * @param biasesFrom first layer whose biases are trained, -1 for a third of the layers
 * @param loraFrom first layer with LoRA, -1 for two thirds of the layers
 */
public record Spafit(
    int rank, double alpha, double dropout, List<String> loraTargets, int biasesFrom, int loraFrom)
    implements Reparam {
  private static final int THIRDS = -1;
  private static final String BIAS = "bias";

  /** LoRA of rank 8, alpha 8, on q and v; groups of a third each. */
  public Spafit() {
    this(8, 8, 0, List.of("q", "v"), THIRDS, THIRDS);
  }

  public Spafit {
    Checks.rank(rank);
    Checks.finite("alpha", alpha);
    Checks.probability("dropout", dropout);
    loraTargets = List.copyOf(loraTargets);
    boolean thirds = biasesFrom == THIRDS && loraFrom == THIRDS;
    if (!thirds && (biasesFrom < 0 || loraFrom < biasesFrom)) {
      throw new IllegalArgumentException(
          "groups\nexpected: first layers of the second and third group, in this order, from 0\nfound: "
              + biasesFrom
              + " and "
              + loraFrom);
    }
  }

  @Override
  public String name() {
    return "spafit";
  }

  @Override
  public String peftType() {
    return "SPAFIT";
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR, Kind.CONV, Kind.NORM);
  }

  /** This with the groups' first layers as numbers. */
  private Spafit over(List<Site> sites) {
    int layers = 1 + sites.stream().mapToInt(Site::layer).max().orElse(-1);
    return biasesFrom != THIRDS
        ? this
        : new Spafit(rank, alpha, dropout, loraTargets, layers / 3, 2 * layers / 3);
  }

  private boolean trainsAt(Site site) {
    return kinds().contains(site.kind())
        && site.layer() >= biasesFrom
        && site.layer() >= 0
        && (site.hasBias() || hasLora(site));
  }

  private boolean hasLora(Site site) {
    String path = "." + site.path();
    return site.kind() != Kind.NORM
        && site.layer() >= loraFrom
        && loraTargets.stream().anyMatch(t -> t.equals(site.role()) || path.endsWith("." + t));
  }

  @Override
  public List<String> usualTargets(List<Site> sites) {
    Spafit here = over(sites);
    return sites.stream().filter(here::trainsAt).map(Site::path).toList();
  }

  @Override
  public Map<Site, Reparam> plan(List<Site> sites) {
    Spafit here = over(sites);
    Map<Site, Reparam> plan = new LinkedHashMap<>();
    sites.stream().filter(here::trainsAt).forEach(s -> plan.put(s, here));
    if (plan.isEmpty()) {
      throw new IllegalArgumentException(
          "groups: nothing would be trained\nexpected: numbered layers with biases, or with "
              + loraTargets
              + " from layer "
              + here.loraFrom
              + " on\nfound: "
              + sites.size()
              + " sites of other layers\nfix: other groups(...), or loraTargets(...)");
    }
    return plan;
  }

  private Lora lora() {
    return new Lora().withRank(rank).withAlpha(alpha).withDropout(dropout);
  }

  @Override
  public boolean trainsBias() {
    return true;
  }

  @Override
  public void declare(Site site, Declaration theta) {
    if (hasLora(site)) {
      lora().declare(site, theta);
    }
    if (site.hasBias()) {
      theta.trained(BIAS, new Shape(site.frozen().biasSize()), (c, shape) -> c.b0());
    }
  }

  @Override
  public Weight effective(At at) {
    NDArray w0 = at.w0();
    return new Weight(hasLora(at.site()) ? w0.add(lora().delta(at)) : w0, at.thetaOrNull(BIAS));
  }

  @Override
  public NDArray forward(At at, NDArray x) {
    NDArray y = at.map(x, at.w0(), at.thetaOrNull(BIAS));
    return hasLora(at.site()) ? y.add(lora().branch(at, x)) : y;
  }

  /** With the groups' first layers as numbers. */
  @Override
  public Reparam finished(List<At> sites) {
    return over(sites.stream().map(At::site).toList());
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("r", rank);
    c.put("lora_alpha", Patterns.tidy(alpha));
    c.put("lora_dropout", dropout);
    c.put("lora_target_modules", loraTargets);
    c.put("biases_from", biasesFrom);
    c.put("lora_from", loraFrom);
    return c;
  }

  static Spafit fromConfig(Entries c) {
    return new Spafit(
        c.integer("r", 8),
        c.number("lora_alpha", 8),
        c.number("lora_dropout", 0),
        c.texts("lora_target_modules"),
        c.integer("biases_from", THIRDS),
        c.integer("lora_from", THIRDS));
  }

  @Override
  public String summary() {
    boolean thirds = biasesFrom == THIRDS;
    return "biases from "
        + (thirds ? "a third of the layers" : "layer " + biasesFrom)
        + " on, LoRA of rank "
        + rank
        + " on "
        + String.join(", ", loraTargets)
        + " from "
        + (thirds ? "two thirds" : "layer " + loraFrom)
        + " on";
  }

  /** The options, for {@code Peft.spafit(model)}. */
  public static final class Options<R> extends Fluent<Spafit, Options<R>, R> {
    private Options(Draft<Spafit, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Spafit(), target));
    }

    /**
     * Where the groups begin; default at a third and two thirds of the layers.
     *
     * @param biases first layer whose biases are trained, from 0
     * @param lora first layer with LoRA too
     */
    public Options<R> groups(int biases, int lora) {
      Spafit t = tuner();
      return with(new Spafit(t.rank, t.alpha, t.dropout, t.loraTargets, biases, lora));
    }

    /** Where LoRA acts in the highest layers: roles, or ends of names; default q and v. */
    public Options<R> loraTargets(String... targets) {
      Spafit t = tuner();
      List<String> names = List.of(targets);
      return with(new Spafit(t.rank, t.alpha, t.dropout, names, t.biasesFrom, t.loraFrom));
    }

    /** r of LoRA, at least 1; default 8. */
    public Options<R> rank(int rank) {
      Spafit t = tuner();
      return with(new Spafit(rank, t.alpha, t.dropout, t.loraTargets, t.biasesFrom, t.loraFrom));
    }

    /** Numerator of LoRA's scale {@code alpha / r}; default 8. */
    public Options<R> alpha(double alpha) {
      Spafit t = tuner();
      return with(new Spafit(t.rank, alpha, t.dropout, t.loraTargets, t.biasesFrom, t.loraFrom));
    }

    /** Dropout on the input of LoRA's branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      Spafit t = tuner();
      return with(new Spafit(t.rank, t.alpha, p, t.loraTargets, t.biasesFrom, t.loraFrom));
    }
  }
}
