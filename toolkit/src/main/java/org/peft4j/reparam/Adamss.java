package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scalars;

/**
 * AdaMSS (NeurIPS 2025): {@code [W, b] = [W0, b0] + P [B_1 A_1; ...; B_K A_K] V}, V {@code [r, in +
 * 1]} the r largest right singular directions of {@code [W0, b0]} ({@code [r, in]} without a bias),
 * P the order of the outputs. These are clustered by their rows of the left directions; to the n
 * outputs of cluster i belong B_i {@code [n, p]}, 0 at first, and A_i {@code [p, r]}, the largest
 * directions of their rows. With a budget the clusters that are trained become fewer, all sites
 * together: the least important ones stay as they are.
 *
 * <p>Files of Hugging Face's do not say which output is in which cluster: that is found anew in the
 * weights, as Hugging Face does, and a file with clusters of other sizes is refused. Files that are
 * written here say it; Hugging Face finds it anew, which needs an r below the number of outputs.
 *
 * @param rank r, or as many as a weight has
 * @param clusters K, or as many as there are outputs
 * @param clusterRank p, or as many as the cluster has outputs
 * @param adaptive whether there is a budget
 * @param target clusters that are trained at the end, all sites together
 * @param warmup steps before the budget falls
 * @param end step at which it has fallen
 * @param every steps between two allocations
 * @param importanceBeta what part of the importance stays from one step to the next
 * @param uncertaintyBeta the same of how much it varies
 * @param exponent of the curve along which the budget falls
 * @param dynamicRank whether p is at most the number of singular values of the cluster's rows whose
 *     square is above {@code threshold} times the largest
 * @param directionSeed seed of the random projection that finds the directions
 * @param filed the clusters of a file, by site
 */
public record Adamss(
    @Key("r") int rank,
    @Key("num_subspaces") int clusters,
    @Key("subspace_rank") int clusterRank,
    @Key("use_asa") boolean adaptive,
    @Key("asa_target_subspaces") int target,
    @Key("init_warmup") int warmup,
    @Key("final_warmup") int end,
    @Key("mask_interval") int every,
    @Key("asa_importance_beta") double importanceBeta,
    @Key("asa_uncertainty_beta") double uncertaintyBeta,
    @Key("asa_schedule_exponent") double exponent,
    @Key("use_dynamic_rank") boolean dynamicRank,
    @Key("svd_threshold") double threshold,
    @Key("random_seed") long directionSeed,
    Map<Site, Reparam> filed)
    implements Additive, Keyed {

  /** Hugging Face's defaults: 100 directions, five clusters of rank 1, no budget. */
  public Adamss() {
    this(100, 5, 1, false, 50, 50, 1000, 100, 0.85, 0.85, 3, false, 0.1, 0, Map.of());
  }

  public Adamss {
    filed = Map.copyOf(filed);
    Checks.rank(rank);
    Checks.atLeast("num_subspaces", 1, clusters);
    Checks.atLeast("subspace_rank", 1, clusterRank);
    Checks.finite("svd_threshold", threshold);
    if (adaptive) {
      Checks.atLeast("asa_target_subspaces", 1, target);
      Checks.atLeast("init_warmup", 0, warmup);
      Checks.atLeast("final_warmup", warmup + 1L, end);
      Checks.atLeast("mask_interval", 1, every);
      Checks.probability("asa_importance_beta", importanceBeta);
      Checks.probability("asa_uncertainty_beta", uncertaintyBeta);
      if (!(exponent > 0 && Double.isFinite(exponent))) {
        throw new IllegalArgumentException(
            "asa_schedule_exponent: expected a positive number, found " + exponent);
      }
    }
  }

  static Adamss fromConfig(Entries c) {
    Keyed.require(c, "init_weights", "orthogonal");
    return Keyed.read(new Adamss(), c);
  }

  @Override
  public Map<String, Object> constants() {
    return Map.of("init_weights", "orthogonal");
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public boolean scheduled() {
    return adaptive;
  }

  @Override
  public Map<Site, Reparam> plan(List<Site> sites) {
    Map<Site, Reparam> plan = new LinkedHashMap<>();
    for (Site s : sites) {
      Reparam known = filed.get(s);
      plan.put(s, known == null ? OutputClusters.of(this, s) : known);
    }
    return plan;
  }

  @Override
  public Adamss fitted(List<Site> sites, BiFunction<Site, String, @Nullable Shape> shapes) {
    Map<Site, Reparam> known = new LinkedHashMap<>();
    for (Site s : sites) {
      Reparam here = OutputClusters.of(this, tensor -> shapes.apply(s, tensor));
      if (here != null) {
        known.put(s, here);
      }
    }
    return with(known);
  }

  private Adamss with(Map<Site, Reparam> known) {
    return new Adamss(
        rank,
        clusters,
        clusterRank,
        adaptive,
        target,
        warmup,
        end,
        every,
        importanceBeta,
        uncertaintyBeta,
        exponent,
        dynamicRank,
        threshold,
        directionSeed,
        known);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    OutputClusters.of(this, site).declare(site, theta);
  }

  @Override
  public NDArray delta(At at) {
    return OutputClusters.of(this, at.site()).delta(at);
  }

  // ---- the budget

  /** One cluster that is trained, and what it counts. */
  private record Scored(At at, int cluster, float score) {}

  @Override
  public void afterStep(List<At> sites, long step, long total) {
    if (!adaptive || step < warmup || step > end) {
      return;
    }
    List<Scored> trained = new ArrayList<>();
    int all = 0;
    for (At at : sites) {
      float[] resting = at.theta(OutputClusters.RESTING).toFloatArray();
      all += resting.length;
      for (int i = 0; i < resting.length; i++) {
        if (resting[i] == 0) {
          float score = observe(at, OutputClusters.A + i) + observe(at, OutputClusters.B + i);
          trained.add(new Scored(at, i, score));
        }
      }
    }
    if (step % every == 0) {
      trained.sort(Comparator.comparingDouble((Scored s) -> -s.score));
      for (Scored s :
          trained.subList(Math.min(trained.size(), budget(step, all)), trained.size())) {
        Buffers.view(s.at.theta(OutputClusters.RESTING)).asFloatBuffer().put(s.cluster, 1);
      }
      trained.forEach(Adamss::forget);
    }
  }

  /** Number of clusters to train from this step on, of {@code all}. */
  int budget(long step, int all) {
    double left = 1 - (double) (step - warmup) / (end - warmup);
    return Math.min(all, (int) (target + (all - target) * Math.pow(left, exponent)));
  }

  /** Smooths each element's |theta * gradient| and how much it varies; returns what both make. */
  private float observe(At at, String tensor) {
    NDArray value = at.theta(tensor);
    NDArray sensitivity = value.stopGradient().mul(value.getGradient()).abs();
    NDArray importance = at.theta(tensor + OutputClusters.IMPORTANCE);
    NDArray uncertainty = at.theta(tensor + OutputClusters.UNCERTAINTY);
    NDArray change = sensitivity.sub(importance).abs();
    uncertainty.muli(uncertaintyBeta).addi(Scalars.mul(change, 1 - uncertaintyBeta));
    importance.muli(importanceBeta).addi(Scalars.mul(sensitivity, 1 - importanceBeta));
    return importance.mul(uncertainty).mean().getFloat();
  }

  private static void forget(Scored s) {
    for (String tensor : List.of(OutputClusters.A + s.cluster, OutputClusters.B + s.cluster)) {
      s.at.theta(tensor + OutputClusters.IMPORTANCE).muli(0);
      s.at.theta(tensor + OutputClusters.UNCERTAINTY).muli(0);
    }
  }

  @Override
  public String summary() {
    return clusters
        + " clusters of rank "
        + clusterRank
        + " in "
        + rank
        + " directions"
        + (adaptive ? ", " + target + " in all at the end" : "");
  }

  /** The options, for {@code Peft.adamss(model)}. */
  public static final class Options<R> extends Keyed.Options<Adamss, Options<R>, R> {
    private Options(Draft<Adamss, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Adamss(), target));
    }

    /** r, at least 1; default 100, or as many as a weight has. */
    public Options<R> directions(int r) {
      return set("r", r);
    }

    /** K, at least 1; default 5. */
    public Options<R> clusters(int k) {
      return set("num_subspaces", k);
    }

    /** p, at least 1; default 1. */
    public Options<R> rank(int p) {
      return set("subspace_rank", p);
    }

    /**
     * Leaves out directions of a cluster whose singular value, squared, is not above that part of
     * the largest.
     */
    public Options<R> dynamicRank(double threshold) {
      return set("use_dynamic_rank", true).set("svd_threshold", threshold);
    }

    /**
     * Trains {@code target} clusters at the end, all sites together: fewer from step {@code warmup}
     * to step {@code end}, chosen every {@code every} steps.
     */
    public Options<R> budget(int target, int warmup, int end, int every) {
      Map<String, Object> schedule = new LinkedHashMap<>();
      schedule.put("asa_target_subspaces", target);
      schedule.put("init_warmup", warmup);
      schedule.put("final_warmup", end);
      schedule.put("mask_interval", every);
      schedule.put("use_asa", true);
      return with(Keys.with(tuner(), schedule));
    }
  }
}
