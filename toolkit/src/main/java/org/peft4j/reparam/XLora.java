package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.Scalars;

/**
 * X-LoRA (Buehler and Buehler, arXiv 2402.07148): {@code y = W0 x + sum_i g_i s_i B_i A_i x}, the g
 * of each token from a classifier on the last hidden states of a first pass, which is trained; the
 * LoRAs are frozen, unless they are to be trained too. No weight is the same for all tokens.
 *
 * @param experts the LoRAs, at least one
 * @param trainable whether they are trained too
 * @param modules paths of all adapted modules in the order of the model; known once attached
 */
public record XLora(List<Expert> experts, XLoraGate gate, boolean trainable, List<String> modules)
    implements Hook {
  private static final String ADAPTERS = "adapters";
  private static final String TRAINABLE = "use_trainable_adapters";

  /**
   * One of the LoRAs.
   *
   * @param from what has its first values: an adapter of the model, or a file's folder; empty where
   *     it is new
   * @param modules paths of those it adapts; empty for all of the targets
   */
  public record Expert(String from, Lora lora, List<String> modules) {
    public Expert {
      modules = List.copyOf(modules);
      lora = from.isEmpty() ? lora : lora.withInit(LoraInit.KAIMING);
    }

    boolean acts(String path) {
      return modules.isEmpty() || modules.contains(path);
    }
  }

  /** Two new LoRAs, which are trained with their classifier. */
  public XLora() {
    this(
        List.of(new Expert("", new Lora(), List.of()), new Expert("", new Lora(), List.of())),
        new XLoraGate(),
        true,
        List.of());
  }

  public XLora {
    experts = List.copyOf(experts);
    modules = List.copyOf(modules);
    if (experts.isEmpty()) {
      throw new IllegalArgumentException(
          "xlora: adapters\nexpected: at least one LoRA\nfound: none");
    }
  }

  /** The same with these LoRAs. */
  public XLora on(List<Expert> others) {
    return new XLora(others, gate, trainable, List.of());
  }

  @Override
  public String name() {
    return "xlora";
  }

  @Override
  public String peftType() {
    return "XLORA";
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR);
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public boolean remembers() {
    return true; // of the first pass, which a graph with a cache has no keys of
  }

  @Override
  public boolean looksAhead() {
    return true;
  }

  @Override
  public List<String> usualTargets(List<Site> sites) {
    return experts.stream()
        .flatMap(e -> e.modules.stream())
        .distinct()
        .map(p -> "regex:" + Pattern.quote(p))
        .toList();
  }

  @Override
  public XLora sized(List<Site> sites) {
    return new XLora(experts, gate, trainable, sites.stream().map(Site::path).toList());
  }

  @Override
  public Map<Site, Reparam> plan(List<Site> sites) {
    Map<Site, Reparam> plan = new LinkedHashMap<>();
    sites.forEach(s -> plan.put(s, this));
    return plan;
  }

  /** The name at a site of what an expert calls so. */
  public static String tensor(int expert, String name) {
    return expert + "." + name;
  }

  @Override
  public void declare(Anatomy model, Declaration theta) {
    if (model.stacks() > 1) {
      throw new IllegalArgumentException(
          "xlora is for models of one stack\nfound: an encoder and a decoder\nfix: use lora");
    }
    gate.declare(model.hidden(), experts.size(), modules.size(), theta);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    for (int i = 0; i < experts.size(); i++) {
      if (experts.get(i).acts(site.path())) {
        Declaration own = new Declaration();
        experts.get(i).lora.at(site).declare(site, own);
        for (Declaration.Entry e : own.entries()) {
          if (trainable) {
            theta.trained(tensor(i, e.name()), e.shape(), e.init());
          } else {
            theta.saved(tensor(i, e.name()), e.shape(), e.init());
          }
        }
      }
    }
  }

  @Override
  public NDArray ahead(View view, NDArray hidden) {
    return gate.weights(view, hidden, experts.size());
  }

  @Override
  public NDArray forward(At at, NDArray x) {
    NDArray y = at.frozen(x);
    NDArray gates = gates(at, x);
    double constant = gate.first(experts.size());
    if (gates == null && constant == 0) {
      return y;
    }
    for (int i = 0; i < experts.size(); i++) {
      if (experts.get(i).acts(at.site().path())) {
        Lora lora = experts.get(i).lora.at(at.site());
        String place = at.site().path() + ".adapter." + i;
        NDArray in = at.pass().dropout(place, lora.dropout(), x);
        NDArray low = at.map(in, at.theta(tensor(i, Lora.A)), null);
        NDArray counted =
            gates == null
                ? Scalars.mul(low, constant)
                : low.mul(gates.get(":, :, {}:{}", i, i + 1));
        y = lora.raised(at.with(Lora.B, at.theta(tensor(i, Lora.B))), y, counted);
      }
    }
    return y;
  }

  /** How much each expert counts for the tokens of x here; null in the first pass. */
  private @Nullable NDArray gates(At at, NDArray x) {
    NDArray all = at.pass().ahead();
    if (all == null) {
      return null;
    }
    long known = all.getShape().get(1);
    long asked = x.getShape().dimension() == 3 ? x.getShape().get(1) : 0;
    if (asked == 0 || asked > known) {
      throw new IllegalStateException(
          "xlora\nexpected: modules that see all tokens of a text\nfound: "
              + at.site().path()
              + ", which sees "
              + x.getShape()
              + "\nfix: leave it out of the LoRAs");
    }
    int index = gate.layerwise() ? modules.indexOf(at.site().path()) : 0;
    NDArray here = all.get(":, :, {}", index);
    return asked < known ? here.get(":, {}:", known - asked) : here;
  }

  @Override
  public Weight effective(At at) {
    throw new IllegalStateException("xlora: no weight is the same for all tokens");
  }

  // ---- its file; the LoRAs are in folders beside it

  @Override
  public Map<String, Object> sizes(Anatomy model) {
    return Map.of("hidden_size", model.hidden());
  }

  /** With the folders that its LoRAs are saved in. */
  @Override
  public Reparam finished(List<At> sites) {
    List<Expert> saved = new ArrayList<>();
    experts.forEach(e -> saved.add(new Expert(String.valueOf(saved.size()), e.lora, e.modules)));
    return new XLora(saved, gate, trainable, modules);
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>(Keys.write(gate));
    c.put(TRAINABLE, trainable);
    Map<String, String> folders = new LinkedHashMap<>();
    experts.forEach(e -> folders.put(String.valueOf(folders.size()), e.from));
    c.put(ADAPTERS, folders);
    return c;
  }

  static XLora fromConfig(Entries c) {
    Map<String, String> folders = c.namedTexts(ADAPTERS);
    List<String> names = new ArrayList<>(folders.keySet());
    if (names.stream().allMatch(n -> n.matches("\\d+"))) {
      names.sort(Comparator.comparing(BigInteger::new)); // a file has 10 in front of 2
    }
    List<Expert> experts =
        names.stream()
            .map(n -> new Expert(folders.getOrDefault(n, n), new Lora(), List.of()))
            .toList();
    XLoraGate gate = Keys.read(new XLoraGate(), c);
    return new XLora(experts, gate, c.flag(TRAINABLE, false), List.of());
  }

  @Override
  public String summary() {
    return experts.size()
        + (experts.stream().anyMatch(e -> e.from.isEmpty()) ? " new LoRAs" : " LoRAs")
        + (gate.topK() == null ? "" : ", " + gate.topK() + " for each token")
        + ", classifier of depth "
        + gate.depth();
  }
}
