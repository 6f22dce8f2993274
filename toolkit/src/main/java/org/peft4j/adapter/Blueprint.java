package org.peft4j.adapter;

import ai.djl.nn.Block;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.peft4j.model.Network;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.Full;
import org.peft4j.reparam.TrainableTokens;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Elements;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;

/**
 * Where methods could act in a model, and what they would cost there: everything that is known
 * before anything is allocated.
 */
public final class Blueprint {
  private final Block base;
  private final List<Site> sites;
  private final List<String> usualTargets;
  private final List<String> newModules;

  /**
   * Looks through the blocks of {@code base}.
   *
   * @param usualTargets what {@code targets} left out means; empty to guess: q and v where
   *     attention is found, else every linear and convolutional layer
   * @param newModules modules without trained weights (a new head): every adapter trains and saves
   *     them
   */
  public Blueprint(Block base, List<String> usualTargets, List<String> newModules) {
    this.base = base;
    this.sites = Sites.of(base);
    this.usualTargets = List.copyOf(usualTargets);
    this.newModules = List.copyOf(newModules);
  }

  /** Every place where a method could act, in the order of the model. */
  public List<Site> sites() {
    return sites;
  }

  /** The sites that {@code reparam} would adapt. */
  public List<Site> match(Reparam reparam, Placement placement) {
    if (reparam instanceof Hook hook && hook.kinds().isEmpty()) {
      requireNoSites(hook, placement);
      return List.of();
    }
    if (reparam instanceof Full && Targets.areSaved(sites, complete(reparam, placement))) {
      return List.of(); // a new head, which is trained as a whole anyway
    }
    List<Site> hit =
        Targets.match(
            sites, complete(reparam, placement), reparam.kinds(), reparam.name(), usual(reparam));
    return reparam.followsTies() ? withoutFollowers(hit) : hit;
  }

  private void requireNoSites(Hook hook, Placement placement) {
    if (!placement.targets().isEmpty() || !placement.exclude().isEmpty()) {
      throw new IllegalArgumentException(
          "targets: "
              + hook.name()
              + " adapts no weights\nfound: "
              + placement.targets()
              + "\nfix: leave targets and exclude out");
    }
    if (!placement.layers().isEmpty() && !hook.choosesLayers()) {
      throw new IllegalArgumentException(
          "layers: " + hook.name() + " acts in all layers\nfound: " + placement.layers());
    }
    if (anatomy(hook).within(placement.layers()).paths().isEmpty()) {
      throw new IllegalArgumentException(
          "layers: none of this model's\nexpected: some of 0 to "
              + (anatomy(hook).layers() - 1)
              + "\nfound: "
              + placement.layers());
    }
  }

  /** The sizes that {@code hook} fits its tensors to; an error for a model without its places. */
  Anatomy anatomy(Hook hook) {
    Anatomy sizes =
        base instanceof Pretrained p
            ? p.anatomy()
            : base instanceof Network bare ? bare.anatomy() : null;
    if (sizes == null) {
      throw new IllegalArgumentException(
          hook.name()
              + " acts on what flows through a model, at places that this block has not got\nfound: "
              + (base instanceof Pretrained p ? p.network() : base).getClass().getSimpleName()
              + "\nfix: use a transformer that Models.load(...) made, or a method that adapts weights, such as lora");
    }
    int context = base instanceof Pretrained p ? p.context() : 0;
    Anatomy anatomy = sizes.reaching(context).of(sites);
    return sites.stream()
        .filter(s -> "embed".equals(s.role()))
        .findFirst()
        .map(s -> anatomy.with(s.frozen())) // merged ones, in a merged model
        .orElse(anatomy);
  }

  /** Whether the base's files keep this site's weight as {@code [in, out]}, as GPT-2's do. */
  boolean isTransposed(Site site) {
    return base instanceof Pretrained p && p.isStoredTransposed(site.path());
  }

  /** The tensors that belong to no site, or to all. */
  Declaration shared(Reparam reparam, Placement placement, List<Site> matched) {
    Declaration theta = new Declaration();
    if (reparam instanceof Hook hook) {
      hook.declare(anatomy(hook).within(placement.layers()), theta);
    }
    reparam.declareShared(matched, theta);
    return theta;
  }

  /** Where embeddings of some tokens are trained beside the method. */
  Map<Site, TrainableTokens> tokens(Placement placement, Collection<Site> adapted) {
    Map<Site, TrainableTokens> named = new LinkedHashMap<>();
    placement
        .tokens()
        .forEach(
            (module, ids) ->
                Targets.named(sites, module)
                    .forEach(s -> named.put(s, new TrainableTokens(ids, true))));
    Map<Site, TrainableTokens> out = new LinkedHashMap<>();
    named.forEach(
        (site, tokens) -> {
          boolean follows =
              named.entrySet().stream()
                  .anyMatch(
                      o -> o.getKey().frozen() == site.tiedTo() && o.getValue().equals(tokens));
          if (!follows) {
            out.put(site, tokens);
          }
        });
    Set<Site> taken = new LinkedHashSet<>(adapted);
    placement.modulesToSave().forEach(m -> taken.addAll(Targets.modules(sites, m)));
    taken.retainAll(out.keySet());
    if (!taken.isEmpty()) {
      throw new IllegalArgumentException(
          "trainable_token_indices: what is adapted, or trained as a whole, has no tokens of its own"
              + "\nfound: "
              + taken
              + "\nfix: leave these out of the targets and of modules_to_save");
    }
    return out;
  }

  /**
   * Trained as a whole, a tied tensor stays one: the site that owns it is trained, the other
   * follows.
   */
  static List<Site> withoutFollowers(List<Site> hit) {
    return hit.stream()
        .filter(s -> s.tiedTo() == null || hit.stream().noneMatch(o -> o.frozen() == s.tiedTo()))
        .toList();
  }

  private List<String> usual(Reparam reparam) {
    List<String> own = reparam.usualTargets(sites);
    if (!own.isEmpty()) {
      return own;
    }
    if (!usualTargets.isEmpty()) {
      return usualTargets;
    }
    Set<String> roles = new LinkedHashSet<>();
    sites.forEach(s -> roles.add(String.valueOf(s.role())));
    if (roles.containsAll(List.of("q", "v"))) {
      return List.of("q", "v");
    }
    return sites.stream()
        .filter(
            s ->
                reparam.kinds().contains(s.kind())
                    && (s.kind() == Kind.LINEAR || s.kind() == Kind.CONV))
        .map(Site::path)
        .toList();
  }

  /** The placement with the model's new modules and the method's whole ones among those to save. */
  Placement complete(Reparam reparam, Placement placement) {
    List<String> own = reparam.wholeModules(sites);
    Set<Site> covered = new LinkedHashSet<>();
    own.forEach(m -> covered.addAll(Targets.modules(sites, m)));
    List<String> all = new ArrayList<>(placement.modulesToSave());
    if (!own.isEmpty()) { // a file may name them in other words
      all.removeIf(m -> covered.containsAll(Targets.modules(sites, m)));
    }
    all.addAll(own);
    newModules.stream().filter(m -> !all.contains(m)).forEach(all::add);
    return placement.withModulesToSave(all);
  }

  /**
   * What a method would train.
   *
   * @param adapted parameters of the method at its sites
   * @param whole parameters of modules trained as a whole, and of biases
   * @param wholeNames what these are
   * @param all parameters of the base and the adapter together
   */
  public record Count(int sites, long adapted, long whole, String wholeNames, long all) {
    public long trainable() {
      return adapted + whole;
    }

    public double percent() {
      return 100.0 * trainable() / all;
    }

    /** {@code 12 sites, 73,728 parameters + classifier 10,010, 0.37 %}. */
    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "%s%,d parameters%s, %.2f %%",
          sites == 0 ? "" : String.format(Locale.ROOT, "%,d sites, ", sites),
          adapted,
          whole == 0 ? "" : String.format(Locale.ROOT, " + %s %,d", wholeNames, whole),
          percent());
    }
  }

  /** Counts without allocating. */
  public Count count(Reparam given, Placement placement) {
    List<Site> matched = match(given, placement);
    Reparam reparam = given.sized(matched);
    Placement complete = complete(reparam, placement);
    Map<Site, Reparam> plan = reparam.plan(matched);
    long adapted = shared(reparam, placement, matched).trainable();
    long whole = 0;
    Set<Site> modules = new LinkedHashSet<>();
    complete.modulesToSave().forEach(m -> modules.addAll(Targets.modules(sites, m)));
    for (Map.Entry<Site, TrainableTokens> t : tokens(complete, plan.keySet()).entrySet()) {
      whole += declared(t.getValue(), t.getKey());
    }
    for (Site site : sites) {
      Reparam here = plan.get(site);
      if (modules.contains(site)) {
        whole += declared(new Full(), site);
      } else {
        adapted += here == null ? 0 : declared(here, site);
        boolean bias =
            complete.bias() == Placement.Bias.ALL
                || (complete.bias() == Placement.Bias.LORA_ONLY && here != null);
        whole += bias && (here == null || !here.trainsBias()) ? site.frozen().biasSize() : 0;
      }
    }
    String names = wholeNames(complete);
    return new Count(matched.size(), adapted, whole, names, baseParameters() + adapted + whole);
  }

  /** What an adapter trains beside its method: whole modules, or biases. */
  static String wholeNames(Placement placement) {
    List<String> names = new ArrayList<>(placement.modulesToSave());
    placement.tokens().forEach((module, ids) -> names.add(ids.size() + " tokens"));
    return names.isEmpty() ? "biases" : String.join(", ", names);
  }

  private static long declared(Reparam reparam, Site site) {
    Declaration theta = new Declaration();
    reparam.declare(site, theta);
    return theta.trainable();
  }

  /** Number of elements of the base's parameters, shared ones once. */
  public long baseParameters() {
    return Elements.of(base);
  }
}
