package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.LowRank;
import org.peft4j.tensor.Qr;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Svd;

/**
 * Arrow routing (Ostapenko et al., arXiv 2405.11157): several trained LoRAs, mixed anew at every
 * site for every token x. An expert counts {@code softmax(|p . x| / temperature)} over the k
 * experts with the largest {@code |p . x|}, p the right singular vector of its {@code B A} with the
 * largest singular value. Nothing of it is trained, and no weight is the same for all tokens.
 *
 * @param experts what they are called
 * @param topK how many count for a token
 * @param temperature above 0; the higher, the more alike they count
 * @param ranks of the experts, by module path
 */
public record Arrow(
    List<String> experts, int topK, double temperature, Map<String, List<Integer>> ranks)
    implements Hook {
  /** A of all experts, {@code [all ranks, in]}. */
  public static final String A = "arrow_A";

  /** B of all experts with their scales, {@code [out, all ranks]}. */
  public static final String B = "arrow_B";

  /** {@link #prototype}s, {@code [experts, in]}. */
  public static final String P = "arrow_prototypes";

  private static final String OWNERS = "arrow_owners";
  private static final String CONFIG = "arrow_config";

  public Arrow {
    experts = List.copyOf(experts);
    ranks = Map.copyOf(ranks);
    if (topK < 1 || topK > experts.size()) {
      throw new IllegalArgumentException(
          "top_k\nexpected: from 1 to the number of LoRAs, " + experts.size() + "\nfound: " + topK);
    }
    Checks.positive("router_temperature", temperature);
  }

  @Override
  public String name() {
    return "arrow";
  }

  @Override
  public String peftType() {
    return "LORA";
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR);
  }

  @Override
  public Map<Site, Reparam> plan(List<Site> sites) {
    Map<Site, Reparam> plan = new LinkedHashMap<>();
    sites.forEach(s -> plan.put(s, this));
    return plan;
  }

  @Override
  public void declare(Anatomy model, Declaration theta) {}

  @Override
  public void declare(Site site, Declaration theta) {
    List<Integer> here = Objects.requireNonNull(ranks.get(site.path()));
    int all = here.stream().mapToInt(r -> r).sum();
    theta.saved(A, new Shape(all, site.in()), Init.ZEROS);
    theta.saved(B, new Shape(site.out(), all), Init.ZEROS);
    theta.saved(P, new Shape(experts.size(), site.in()), Init.ZEROS);
    theta.derived(
        OWNERS,
        new Shape(all, experts.size()),
        (c, s) -> Buffers.create(c.manager(), owners(here), s));
  }

  /** 1 where a row of A is an expert's, {@code [all ranks, experts]}. */
  private static float[] owners(List<Integer> ranks) {
    float[] owners = new float[ranks.stream().mapToInt(r -> r).sum() * ranks.size()];
    int row = 0;
    for (int e = 0; e < ranks.size(); e++) {
      for (int i = 0; i < ranks.get(e); i++) {
        owners[row++ * ranks.size() + e] = 1;
      }
    }
    return owners;
  }

  /**
   * The input that a LoRA changes the most.
   *
   * @param a {@code [r, in]}
   * @param b {@code [out, r]}
   * @return a unit vector {@code [1, in]}, its sign being anyone's guess
   */
  public static NDArray prototype(NDArray a, NDArray b) {
    Qr rows = Qr.of(a.transpose()); // A = (Q R)^T, so that B A = B R^T Q^T
    NDArray first = Svd.precise(b.matMul(rows.r().transpose())).vh().get(":1");
    return first.matMul(rows.q().transpose());
  }

  @Override
  public NDArray forward(At at, NDArray x) {
    NDArray low = at.map(x, at.theta(A), null);
    NDArray counts = at.map(counts(at, x), at.theta(OWNERS), null);
    return LowRank.add(at.frozen(x), low.mul(counts), at.theta(B), 1);
  }

  /** How much each expert counts for each token, {@code [..., experts]}. */
  private NDArray counts(At at, NDArray x) {
    NDArray likeness = at.map(x, at.theta(P), null).abs();
    NDArray least = likeness.topK(topK, -1, true, true).get(0).min(new int[] {-1}, true);
    NDArray scores = Scalars.div(likeness, temperature);
    NDArray none = Scalars.mul(scores.onesLike(), Double.NEGATIVE_INFINITY);
    return NDArrays.where(likeness.gte(least), scores, none).softmax(-1);
  }

  @Override
  public Weight effective(At at) {
    throw new IllegalStateException("arrow: no weight is the same for all tokens");
  }

  // ---- its file: none

  @Override
  public Reparam finished(List<At> sites) {
    throw new IllegalStateException(
        "save: a router has nothing of its own\nfix: save its LoRAs by their names, "
            + experts
            + ", and route them again");
  }

  static boolean in(Entries c) {
    return c.has(CONFIG);
  }

  /** Hugging Face's file of a router has none of its experts. */
  static IllegalArgumentException refused() {
    return new IllegalArgumentException(
        CONFIG
            + "\nexpected: a LoRA\nfound: a router, whose file has none of its experts"
            + "\nfix: load the LoRAs, and route them: tuned.route(\"router\", topK, temperature, \"a\", \"b\")");
  }

  @Override
  public Map<String, Object> toConfig() {
    return Map.of();
  }

  @Override
  public String summary() {
    return topK + " of " + experts + " for each token";
  }
}
