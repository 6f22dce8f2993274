package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.Map;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;

/**
 * Rank and alpha of a method by site, as the files of LoHa and LoKr have them; the scale is {@code
 * alpha / rank}.
 */
public record Ranks(
    int rank, double alpha, Map<String, Integer> rankPattern, Map<String, Double> alphaPattern) {
  public Ranks {
    Checks.rank(rank);
    Checks.finite("alpha", alpha);
    rankPattern = Patterns.ordered(rankPattern);
    alphaPattern = Patterns.ordered(alphaPattern);
    rankPattern.values().forEach(Checks::rank);
  }

  /** Hugging Face's defaults: rank 8, alpha 8. */
  public Ranks() {
    this(8, 8, Map.of(), Map.of());
  }

  double scale() {
    return alpha / rank;
  }

  Ranks at(Site site) {
    Integer r = Patterns.find(rankPattern, site.path());
    Double a = Patterns.find(alphaPattern, site.path());
    return r == null && a == null
        ? this
        : new Ranks(r != null ? r : rank, a != null ? a : alpha, Map.of(), Map.of());
  }

  Ranks withRank(int r) {
    return new Ranks(r, alpha, rankPattern, alphaPattern);
  }

  Ranks withAlpha(double a) {
    return new Ranks(rank, a, rankPattern, alphaPattern);
  }

  Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("r", rank);
    c.put("alpha", Patterns.tidy(alpha));
    c.put("rank_pattern", rankPattern);
    Map<String, Object> alphas = new LinkedHashMap<>();
    alphaPattern.forEach((k, v) -> alphas.put(k, Patterns.tidy(v)));
    c.put("alpha_pattern", alphas);
    return c;
  }

  static Ranks fromConfig(Entries c) {
    Map<String, Integer> ranks = new LinkedHashMap<>();
    c.numbers("rank_pattern").forEach((k, v) -> ranks.put(k, v.intValue()));
    return new Ranks(c.integer("r", 8), c.number("alpha", 8), ranks, c.numbers("alpha_pattern"));
  }

  /** Entries that act in training only, and that methods with such files do not have here. */
  static void acceptDropouts(Entries c) {
    c.accept("rank_dropout", "module_dropout", "rank_dropout_scale");
  }

  String summary() {
    return "rank "
        + rank
        + ", alpha "
        + Patterns.tidy(alpha)
        + (rankPattern.isEmpty() ? "" : ", ranks " + rankPattern)
        + (alphaPattern.isEmpty() ? "" : ", alphas " + alphaPattern);
  }

  /** A weight as a matrix: a convolution's kernel counts to its input. */
  static Shape matrix(Site site) {
    Shape w = site.shape();
    return site.kind() == Kind.CONV ? new Shape(w.get(0), w.size() / w.get(0)) : w;
  }

  /** The sizes of a convolution's kernel, two of them. */
  static Shape kernel(Site site) {
    Shape w = site.shape();
    return new Shape(w.get(2), w.dimension() > 3 ? w.get(3) : 1);
  }

  /**
   * A convolution's weight from its core {@code [r, r, k, k]} and factors {@code [r, out]} and
   * {@code [r, in]}: {@code w[p, q] = sum_ij core[i, j] a[i, p] b[j, q]}, {@code [out, in, k, k]}.
   */
  static NDArray around(NDArray core, NDArray a, NDArray b) {
    Shape c = core.getShape();
    long r = c.get(0);
    long points = c.get(2) * c.get(3);
    long out = a.getShape().get(1);
    long in = b.getShape().get(1);
    NDArray left = a.transpose().matMul(core.reshape(r, r * points)); // [out, r points]
    NDArray moved = left.reshape(out, r, points).transpose(0, 2, 1).reshape(out * points, r);
    return moved
        .matMul(b)
        .reshape(out, points, in)
        .transpose(0, 2, 1)
        .reshape(out, in, c.get(2), c.get(3));
  }

  /** Whether the kernel is more than one point. */
  static boolean spread(Site site) {
    return site.kind() == Kind.CONV && Ranks.kernel(site).size() > 1;
  }
}
