package org.peft4j.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.peft4j.reparam.Lora;
import org.peft4j.reparam.LoraInit;
import org.peft4j.spi.At;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Svd;
import org.peft4j.tensor.Torch;

/**
 * Makes one LoRA of several, as a {@link Combination} says. The result has alpha = rank, so that
 * its scale is 1 whatever the others' were.
 */
final class Combiner {
  private final PeftModel model;
  private final Combination how;
  private final Map<Adapter, Double> weights = new LinkedHashMap<>();

  Combiner(PeftModel model, Map<String, Double> weights, Combination how) {
    this.model = model;
    this.how = how;
    weights.keySet().forEach(model::adapter); // each must exist
    for (String name : model.adapters()) { // in the model's order, whatever that of the map
      Double w = weights.get(name);
      if (w != null) {
        this.weights.put(check(model.adapter(name), w), w);
      }
    }
    if (weights.isEmpty()) {
      throw new IllegalArgumentException(
          "combine: no adapters named\nthere are: " + model.adapters());
    }
    long whole =
        this.weights.keySet().stream()
            .filter(a -> a.attachments.size() > a.adapted().size())
            .count();
    if (whole > 0) {
      throw new IllegalArgumentException(
          "combine: an adapter that trains whole modules or biases ("
              + names(this.weights.keySet())
              + ") cannot be combined\nfix: combine adapters without modulesToSave and bias");
    }
  }

  private static Adapter check(Adapter a, double weight) {
    if (!Double.isFinite(weight)) {
      throw new IllegalArgumentException("combine: the weight of '" + a.name + "' is " + weight);
    }
    if (!(a.reparam instanceof Lora lora)) {
      throw new IllegalArgumentException(
          "combine: '" + a.name + "' is no LoRA but " + a.reparam.name());
    }
    if (lora.loraBias()) {
      throw new IllegalArgumentException(
          "combine: '"
              + a.name
              + "' has a bias of its own (lora_bias), which a combination would lose");
    }
    for (Attachment at : a.adapted()) {
      if (at.site().kind() == Kind.EXPERTS) {
        throw new IllegalArgumentException(
            "combine: '"
                + a.name
                + "' has factors for each expert\nfound: "
                + at.site().path()
                + "\nfix: use(...) both, whose effects add, and merge()");
      }
      if (at.base() != at.site().frozen()) {
        throw new IllegalArgumentException(
            "combine: '"
                + a.name
                + "' works on a shifted base ("
                + lora.init()
                + "), so its A and B are not its whole effect\nfix: merge it, or train with another init");
      }
    }
    return a;
  }

  private static List<String> names(Set<Adapter> adapters) {
    return adapters.stream().map(a -> a.name).toList();
  }

  /** The combination as a new adapter of the model. */
  Adapter build(String name) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager temporary = Torch.newManager()) {
            Pass plain = Pass.of(new ParameterStore(temporary, false), false);
            Map<Site, NDArray[]> factors = new LinkedHashMap<>();
            int rank = rank();
            for (Site site : sites()) {
              factors.put(site, factors(site, plain, rank));
            }
            Lora lora = new Lora(rank, rank, 0, false, false, LoraInit.KAIMING, Map.of(), Map.of());
            Placement where =
                Placement.DEFAULT.withTargets(
                    factors.keySet().stream()
                        .map(s -> "regex:" + java.util.regex.Pattern.quote(s.path()))
                        .toList());
            Adapter made =
                new AdapterBuilder(model.blueprint(), model.manager())
                    .build(name, lora, where, List.copyOf(factors.keySet()), 0);
            made.attachments.forEach(
                (site, a) -> set(a, Objects.requireNonNull(factors.get(site))));
            return made;
          }
        });
  }

  private List<Site> sites() {
    Set<Site> all = new LinkedHashSet<>();
    for (Site s : model.sites()) {
      if (weights.keySet().stream().anyMatch(a -> isAdapted(a, s))) {
        all.add(s);
      }
    }
    return List.copyOf(all);
  }

  private static boolean isAdapted(Adapter a, Site s) {
    return a.attachments.containsKey(s);
  }

  private int rank() {
    List<Integer> ranks = new ArrayList<>();
    for (Adapter a : weights.keySet()) {
      int most = 0;
      int least = Integer.MAX_VALUE;
      for (Attachment at : a.adapted()) {
        int r = ((Lora) Objects.requireNonNull(at.reparam())).rank();
        most = Math.max(most, r);
        least = Math.min(least, r);
      }
      ranks.add(most);
      if (how.needsEqualRanks() && most != least) {
        ranks.add(least);
      }
    }
    if (how.needsEqualRanks() && ranks.stream().distinct().count() > 1) {
      throw new IllegalArgumentException(
          "combine: "
              + how.rule()
              + " on A and B needs equal ranks\nfound: "
              + ranks
              + "\nfix: cat(), svd(), or the rule bySvd()");
    }
    int largest = ranks.stream().mapToInt(r -> r).max().orElseThrow();
    return how.isCat()
        ? ranks.stream().mapToInt(r -> r).sum()
        : how.products() && how.rank() > 0 ? how.rank() : largest;
  }

  private static void set(Attachment a, NDArray[] factors) {
    int i = 0;
    for (Tensor t : a.tensors().values()) { // A, then B
      NDArray target = t.parameter().getArray();
      Buffers.copy(factors[i++].reshape(target.getShape()), target);
    }
  }

  /** A {@code [rank, in...]} and B {@code [out, rank]} at one site. */
  private NDArray[] factors(Site site, Pass plain, int rank) {
    List<float[]> as = new ArrayList<>();
    List<float[]> bs = new ArrayList<>();
    List<Double> scales = new ArrayList<>();
    List<float[]> deltas = new ArrayList<>();
    List<Double> plainWeights = new ArrayList<>();
    List<Integer> ranks = new ArrayList<>();
    long out = site.out();
    long in = site.shape().size() / out;
    for (Map.Entry<Adapter, Double> e : weights.entrySet()) {
      Attachment a = e.getKey().attachments.get(site);
      if (a == null) {
        continue;
      }
      Lora lora = (Lora) Objects.requireNonNull(a.reparam());
      List<Tensor> own = List.copyOf(a.tensors().values());
      as.add(own.get(0).parameter().getArray().toFloatArray());
      bs.add(own.get(1).parameter().getArray().toFloatArray());
      scales.add(e.getValue() * lora.scale());
      ranks.add(lora.rank());
      if (how.products()) {
        At at = e.getKey().at(a, plain, plain);
        NDArray delta = lora.delta(at);
        deltas.add((site.kind() == Kind.EMBEDDING ? delta.transpose() : delta).toFloatArray());
        plainWeights.add(e.getValue());
      }
    }
    NDManager m = plain.getManager();
    Seed seed = Seed.of(how.seed()).at(site.path());
    if (how.products()) {
      float[] sum = TaskArithmetic.apply(how, deltas, plainWeights, seed.at("product"));
      return cut(Svd.of(Buffers.create(m, sum, new Shape(out, in))), rank, out, in, m);
    }
    if (how.isCat()) {
      return concatenated(as, bs, scales, ranks, rank, out, in, m);
    }
    List<Double> forA =
        scales.stream().map(w -> Math.signum(w == 0 ? 1 : w) * Math.sqrt(Math.abs(w))).toList();
    List<Double> forB = scales.stream().map(w -> Math.sqrt(Math.abs(w))).toList();
    float[] a = TaskArithmetic.apply(how, as, forA, seed.at("A"));
    float[] b = TaskArithmetic.apply(how, bs, forB, seed.at("B"));
    return new NDArray[] {
      Buffers.create(m, a, new Shape(rank, in)), Buffers.create(m, b, new Shape(out, rank))
    };
  }

  /**
   * The first directions of an SVD as B = U S and A = Vh; what the matrix does not have is zero.
   */
  private static NDArray[] cut(Svd svd, int rank, long out, long in, NDManager m) {
    int k = (int) Math.min(rank, svd.s().size());
    float[] u = svd.u().toFloatArray();
    float[] s = svd.s().toFloatArray();
    float[] vh = svd.vh().toFloatArray();
    float[] a = new float[(int) (rank * in)];
    float[] b = new float[(int) (out * rank)];
    System.arraycopy(vh, 0, a, 0, (int) (k * in));
    for (int i = 0; i < out; i++) {
      for (int j = 0; j < k; j++) {
        b[i * rank + j] = u[i * s.length + j] * s[j];
      }
    }
    return new NDArray[] {
      Buffers.create(m, a, new Shape(rank, in)), Buffers.create(m, b, new Shape(out, rank))
    };
  }

  private static NDArray[] concatenated(
      List<float[]> as,
      List<float[]> bs,
      List<Double> scales,
      List<Integer> ranks,
      int rank,
      long out,
      long in,
      NDManager m) {
    float[] a = new float[(int) (rank * in)];
    float[] b = new float[(int) (out * rank)];
    int at = 0;
    for (int n = 0; n < as.size(); n++) {
      float w = scales.get(n).floatValue();
      int r = ranks.get(n);
      for (int i = 0; i < r * in; i++) {
        a[(int) (at * in) + i] = w * as.get(n)[i];
      }
      for (int i = 0; i < out; i++) {
        System.arraycopy(bs.get(n), i * r, b, i * rank + at, r);
      }
      at += r;
    }
    return new NDArray[] {
      Buffers.create(m, a, new Shape(rank, in)), Buffers.create(m, b, new Shape(out, rank))
    };
  }
}
