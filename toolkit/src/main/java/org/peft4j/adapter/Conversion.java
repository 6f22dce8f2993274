package org.peft4j.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.peft4j.reparam.Full;
import org.peft4j.reparam.Lora;
import org.peft4j.reparam.LoraInit;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Svd;
import org.peft4j.tensor.Torch;

/**
 * The effect of the active adapters, whatever their methods, as one plain LoRA: at each site the
 * first directions of an SVD of {@code W - W0}, with scale 1.
 */
public final class Conversion {
  /** Of one site: how many directions were kept, and what part of the squares of all. */
  public record Kept(String site, int rank, double energy) {}

  /** What a conversion kept, site by site. */
  public record Report(List<Kept> sites) {
    public Report {
      sites = List.copyOf(sites);
    }

    /** The smallest part that was kept at any site, in [0, 1]. */
    public double leastEnergy() {
      return sites.stream().mapToDouble(Kept::energy).min().orElse(1);
    }

    @Override
    public String toString() {
      int most = sites.stream().mapToInt(Kept::rank).max().orElse(0);
      int least = sites.stream().mapToInt(Kept::rank).min().orElse(0);
      return String.format(
          Locale.ROOT,
          "LoRA at %,d sites, rank %s, keeps at least %.4f %% of the energy",
          sites.size(),
          least == most ? String.valueOf(most) : least + " to " + most,
          100 * leastEnergy());
    }
  }

  private final PeftModel model;
  private final Active active;
  private final int rank;
  private final double energy;

  /**
   * A conversion.
   *
   * @param rank the most directions to keep
   * @param energy part of the squares at which fewer are enough
   */
  Conversion(PeftModel model, Active active, int rank, double energy) {
    if (rank < 1) {
      throw new IllegalArgumentException("rank: expected at least 1, found " + rank);
    }
    if (!(energy > 0 && energy <= 1)) {
      throw new IllegalArgumentException(
          "energy: expected a part above 0 and at most 1, found " + energy);
    }
    for (Adapter a : active.unmergeable()) {
      throw new IllegalStateException(
          "convert: adapter '" + a.name + "' (" + a.reparam.name() + ") changes no weights");
    }
    if (active.adapters().isEmpty()) {
      throw new IllegalStateException("convert: no adapter is active\nfix: use(...) one first");
    }
    this.model = model;
    this.active = active;
    this.rank = rank;
    this.energy = energy;
  }

  /** The new adapter, and what it kept. */
  record Made(Adapter adapter, Report report) {}

  /** B A at one site: a {@code [rank, in]}, b {@code [out, rank]}. */
  private static final class Factors {
    final float[] a;
    final float[] b;
    final Kept kept;

    Factors(float[] a, float[] b, Kept kept) {
      this.a = a;
      this.b = b;
      this.kept = kept;
    }
  }

  Made build(String name) {
    return Torch.inference(
        () -> {
          Map<Site, Factors> factors = new LinkedHashMap<>();
          try (NDManager temporary = Torch.newManager()) {
            AdapterPass pass =
                new AdapterPass(
                    new ParameterStore(temporary, false), false, active, Seed.of(0), temporary);
            for (Site site : model.sites()) {
              if (!active.at(site.frozen()).isEmpty() && whole(site) == null) {
                try (Scope scope = Scope.open()) {
                  factors.put(site, factors(site, pass));
                }
              }
            }
          }
          return made(name, factors);
        });
  }

  /** What trains this site as a part of a whole module, such as a new head; it is taken over. */
  private @Nullable Attachment whole(Site site) {
    for (Adapter a : active.adapters()) {
      Attachment at = a.attachments.get(site);
      if (at != null && at.reparam() instanceof Full && !(a.reparam instanceof Full)) {
        return at;
      }
    }
    return null;
  }

  private Factors factors(Site site, AdapterPass pass) {
    Frozen frozen = site.frozen();
    Pass plain = pass.below();
    Weight w = pass.effective(frozen);
    if (site.kind() != Kind.LINEAR && site.kind() != Kind.CONV && site.kind() != Kind.EMBEDDING) {
      throw new IllegalArgumentException(
          "convert: one LoRA cannot change " + site.path() + " (" + site.kind() + ")");
    }
    NDArray b0 = frozen.bias(plain);
    if (b0 != null && different(b0, w.bias())) {
      throw new IllegalArgumentException(
          "convert: the adapter changes the bias of "
              + site.path()
              + ", which a LoRA cannot\nfix: merge it instead");
    }
    NDArray delta = w.weight().sub(frozen.weight(plain));
    NDArray matrix =
        site.kind() == Kind.EMBEDDING ? delta.transpose() : delta.reshape(site.out(), -1);
    return cut(site, Svd.precise(matrix));
  }

  private static boolean different(NDArray b0, @Nullable NDArray b) {
    return b == null || b.sub(b0).abs().max().getFloat() > 0;
  }

  private Factors cut(Site site, Svd svd) {
    float[] u = svd.u().toFloatArray();
    float[] s = svd.s().toFloatArray();
    float[] vh = svd.vh().toFloatArray();
    double all = 0;
    for (float x : s) {
      all += (double) x * x;
    }
    int k = 0;
    double sum = 0;
    while (k < Math.min(rank, s.length) && (k == 0 || sum < energy * all)) {
      sum += (double) s[k] * s[k];
      k++;
    }
    int in = vh.length / s.length;
    int out = u.length / s.length;
    float[] a = new float[k * in];
    float[] b = new float[out * k];
    for (int j = 0; j < k; j++) {
      float root = (float) Math.sqrt(s[j]);
      for (int i = 0; i < in; i++) {
        a[j * in + i] = root * vh[j * in + i];
      }
      for (int i = 0; i < out; i++) {
        b[i * k + j] = root * u[i * s.length + j];
      }
    }
    return new Factors(a, b, new Kept(site.path(), k, all == 0 ? 1 : sum / all));
  }

  private Made made(String name, Map<Site, Factors> factors) {
    int most = factors.values().stream().mapToInt(f -> f.kept.rank()).max().orElse(1);
    Map<String, Integer> ranks = new LinkedHashMap<>();
    Map<String, Double> alphas = new LinkedHashMap<>();
    factors.forEach(
        (site, f) -> {
          if (f.kept.rank() != most) {
            ranks.put(Pattern.quote(site.path()), f.kept.rank());
            alphas.put(Pattern.quote(site.path()), (double) f.kept.rank());
          }
        });
    Lora lora = new Lora(most, most, 0, false, false, LoraInit.KAIMING, ranks, alphas);
    List<String> targets =
        factors.keySet().stream().map(s -> "regex:" + Pattern.quote(s.path())).toList();
    List<String> modules =
        active.adapters().stream()
            .flatMap(a -> a.placement.modulesToSave().stream())
            .distinct()
            .toList();
    Placement placement = Placement.DEFAULT.withTargets(targets).withModulesToSave(modules);
    Adapter adapter =
        new AdapterBuilder(model.blueprint(), model.manager())
            .build(name, lora, placement, List.copyOf(factors.keySet()), 0);
    adapter.attachments.forEach(
        (site, a) -> {
          Factors f = factors.get(site);
          if (f == null) {
            copy(Objects.requireNonNull(whole(site)), a);
          } else {
            set(a, f);
          }
        });
    List<Kept> kept = new ArrayList<>();
    factors.values().forEach(f -> kept.add(f.kept));
    return new Made(adapter, new Report(kept));
  }

  private static void copy(Attachment from, Attachment to) {
    to.tensors()
        .forEach(
            (n, t) ->
                Buffers.copy(
                    Objects.requireNonNull(from.tensors().get(n)).parameter().getArray(),
                    t.parameter().getArray()));
  }

  private static void set(Attachment a, Factors factors) {
    float[][] values = {factors.a, factors.b};
    int i = 0;
    for (Tensor t : a.tensors().values()) { // A, then B
      NDArray target = t.parameter().getArray();
      try (NDArray value = Buffers.create(target.getManager(), values[i++], target.getShape())) {
        Buffers.copy(value, target);
      }
    }
  }
}
