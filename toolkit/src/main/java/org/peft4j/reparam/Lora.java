package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Storage;
import org.peft4j.tensor.LowRank;
import org.peft4j.tensor.Scalars;

/**
 * LoRA (Hu et al., arXiv 2106.09685): {@code W = W0 + s B A}, A {@code [r, in]}, B {@code [out,
 * r]}, {@code s = alpha / r}, or {@code alpha / sqrt(r)} for rsLoRA (arXiv 2312.03732). Dropout
 * acts on the input of the branch only. Experts have factors each, side by side as Hugging Face's
 * {@code target_parameters} keep them: A {@code [experts r, in]} expert by expert, B {@code [out, r
 * experts]} in whose rows the experts take turns.
 *
 * @param rank r, at least 1
 * @param alpha numerator of the scale
 * @param dropout probability, in [0, 1)
 * @param rsLora whether the scale is {@code alpha / sqrt(r)}
 * @param loraBias whether B has a bias of its own
 * @param init how A and B start
 * @param rankPattern other ranks for sites whose path ends in, or matches, the key; the first match
 *     in order wins
 * @param alphaPattern other alphas, likewise
 */
public record Lora(
    int rank,
    double alpha,
    double dropout,
    boolean rsLora,
    boolean loraBias,
    LoraStart init,
    Map<String, Integer> rankPattern,
    Map<String, Double> alphaPattern)
    implements Additive {

  static final String A = "lora_A.weight";
  static final String B = "lora_B.weight";
  private static final String A_START = "lora_A_start.weight";
  private static final String B_START = "lora_B_start.weight";
  static final String EMBEDDING_A = "lora_embedding_A";
  static final String EMBEDDING_B = "lora_embedding_B";
  private static final String B_BIAS = "lora_B.bias";

  /** Hugging Face's defaults: rank 8, alpha 8, no dropout. */
  public Lora() {
    this(8, 8, 0, false, false, LoraInit.KAIMING, Map.of(), Map.of());
  }

  public Lora {
    Checks.rank(rank);
    Checks.finite("alpha", alpha);
    Checks.probability("dropout", dropout);
    rankPattern = Patterns.ordered(rankPattern);
    alphaPattern = Patterns.ordered(alphaPattern);
    rankPattern.values().forEach(Checks::rank);
    alphaPattern.values().forEach(a -> Checks.finite("alpha", a));
    if (loraBias && init.shifts()) {
      throw new IllegalArgumentException(
          "lora_bias: not possible with init " + init + "; use kaiming or gaussian");
    }
  }

  Lora withRank(int r) {
    return new Lora(r, alpha, dropout, rsLora, loraBias, init, rankPattern, alphaPattern);
  }

  Lora withAlpha(double a) {
    return new Lora(rank, a, dropout, rsLora, loraBias, init, rankPattern, alphaPattern);
  }

  Lora withDropout(double p) {
    return new Lora(rank, alpha, p, rsLora, loraBias, init, rankPattern, alphaPattern);
  }

  Lora withRsLora() {
    return new Lora(rank, alpha, dropout, true, loraBias, init, rankPattern, alphaPattern);
  }

  Lora withLoraBias() {
    return new Lora(rank, alpha, dropout, rsLora, true, init, rankPattern, alphaPattern);
  }

  Lora withInit(LoraStart start) {
    return new Lora(rank, alpha, dropout, rsLora, loraBias, start, rankPattern, alphaPattern);
  }

  Lora withRanks(Map<String, Integer> ranks) {
    return new Lora(rank, alpha, dropout, rsLora, loraBias, init, ranks, alphaPattern);
  }

  Lora withAlphas(Map<String, Double> alphas) {
    return new Lora(rank, alpha, dropout, rsLora, loraBias, init, rankPattern, alphas);
  }

  @Override
  public String name() {
    return "lora";
  }

  @Override
  public String peftType() {
    return "LORA";
  }

  @Override
  public boolean transposable() {
    return true;
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR, Kind.CONV, Kind.EMBEDDING, Kind.EXPERTS);
  }

  /** s at this site. */
  public double scale() {
    return alpha / (rsLora ? Math.sqrt(rank) : rank);
  }

  @Override
  public Lora at(Site site) {
    Integer r = Patterns.find(rankPattern, site.path());
    Double a = Patterns.find(alphaPattern, site.path());
    return r == null && a == null
        ? this
        : withRank(r != null ? r : rank)
            .withAlpha(a != null ? a : alpha)
            .withRanks(Map.of())
            .withAlphas(Map.of());
  }

  /** The same scale at another rank. */
  Lora resized(int r) {
    return withRank(r).withAlpha(rsLora ? alpha * Math.sqrt((double) r / rank) : alpha * r / rank);
  }

  @Override
  public Map<Site, Reparam> plan(List<Site> sites) {
    return init.plan(this, sites);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    if (site.kind() != Kind.LINEAR && init.needsMatrix()) {
      throw new IllegalArgumentException(
          "init "
              + init
              + " needs a linear layer\nfound: "
              + site
              + " of kind "
              + site.kind()
              + "\nfix: exclude it, or use kaiming");
    }
    if (loraBias && site.kind() == Kind.EMBEDDING) {
      throw new IllegalArgumentException(
          "lora_bias: an embedding has no bias\nfound: " + site + "\nfix: exclude it");
    }
    if (site.kind() == Kind.EXPERTS && (dropout > 0 || loraBias)) {
      throw new IllegalArgumentException(
          (loraBias ? "lora_bias" : "dropout")
              + ": not possible in experts\nfound: "
              + site
              + "\nfix: leave it out, or exclude them");
    }
    switch (site.kind()) {
      case EXPERTS -> {
        long all = site.shape().get(0) * rank;
        theta.trained(A, new Shape(all, site.in()), init.a(this, site));
        theta.trained(B, new Shape(site.out(), all), init.b(this, site));
      }
      case EMBEDDING -> {
        theta.trained(EMBEDDING_A, new Shape(rank, site.in()), Init.ZEROS);
        theta.trained(EMBEDDING_B, new Shape(site.out(), rank), Init.normal(1));
      }
      case CONV -> {
        Shape w = site.shape();
        theta.trained(A, new Shape(rank).addAll(w.slice(1)), init.a(this, site));
        theta.trained(
            B,
            new Shape(site.out(), rank).addAll(Patterns.ones(w.dimension() - 2)),
            init.b(this, site));
      }
      default -> {
        Shape a = new Shape(rank, site.in());
        Shape b = new Shape(site.out(), rank);
        theta.trained(A, a, init.a(this, site));
        theta.trained(B, b, init.b(this, site));
        if (init.shifts() && init.fromData()) { // to say in a file what was taken out of the base
          theta.derived(A_START, a, init.a(this, site));
          theta.derived(B_START, b, init.b(this, site));
        }
      }
    }
    if (loraBias) {
      theta.trained(B_BIAS, new Shape(site.out()), Init.ZEROS);
    }
  }

  @Override
  public @Nullable NDArray shift(At at) {
    return init.shifts() ? init.base(this, at) : null;
  }

  @Override
  public @Nullable Storage storage() {
    return init.keptIn();
  }

  @Override
  public NDArray delta(At at) {
    if (at.site().kind() == Kind.EMBEDDING) {
      return scaled(at.theta(EMBEDDING_B).matMul(at.theta(EMBEDDING_A))).transpose();
    }
    NDArray a = at.theta(A);
    if (at.site().kind() == Kind.EXPERTS) {
      Shape w = at.site().shape();
      NDArray b = at.theta(B).reshape(w.get(1), rank, w.get(0)).transpose(2, 0, 1);
      return scaled(b.matMul(a.reshape(w.get(0), rank, w.get(2))));
    }
    NDArray product = matrix(at.theta(B)).matMul(matrix(a));
    return scaled(product).reshape(at.site().shape());
  }

  @Override
  public @Nullable NDArray biasDelta(At at) {
    return loraBias ? scaled(at.theta(B_BIAS)) : null;
  }

  @Override
  public NDArray forward(At at, NDArray x) {
    return onto(at, at.frozen(x), x);
  }

  /** y with what the branch gives on x. */
  NDArray onto(At at, NDArray y, NDArray x) {
    if (at.site().kind() != Kind.LINEAR) {
      return y.add(branch(at, x));
    }
    return raised(at, y, at.map(at.dropout(dropout, x), at.theta(A), null));
  }

  /** y with what B makes of {@code low [..., r]}, the A of a linear layer on its input. */
  NDArray raised(At at, NDArray y, NDArray low) {
    NDArray sum = LowRank.add(y, low, at.theta(B), scale());
    NDArray bias = biasDelta(at);
    return bias == null ? sum : sum.add(bias);
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    if (at.site().kind() == Kind.EXPERTS) {
      return Additive.super.branch(at, x);
    }
    boolean embedding = at.site().kind() == Kind.EMBEDDING;
    NDArray a = at.theta(embedding ? EMBEDDING_A : A);
    NDArray b = at.theta(embedding ? EMBEDDING_B : B);
    var operation = at.site().frozen().operation();
    NDArray low = at.map(embedding ? x : at.dropout(dropout, x), operation.factor(a), null);
    NDArray high = scaled(operation.mix(low, matrix(b)));
    NDArray bias = biasDelta(at);
    if (bias == null) {
      return high;
    }
    return high.add(
        at.site().kind() == Kind.CONV ? bias.reshape(new Shape(-1).addAll(spatial(high))) : bias);
  }

  private static Shape spatial(NDArray convolved) {
    return Patterns.ones(convolved.getShape().dimension() - 2);
  }

  private NDArray scaled(NDArray x) {
    return scale() == 1 ? x : Scalars.mul(x, scale());
  }

  private static NDArray matrix(NDArray x) {
    Shape s = x.getShape();
    return s.dimension() == 2 ? x : x.reshape(s.get(0), s.size() / s.get(0));
  }

  /**
   * Ranks as the tensors have them. Hugging Face writes {@code rank_pattern} with sorted keys
   * although the first match wins, so where patterns overlap its file can name other ranks than it
   * holds.
   */
  @Override
  public Lora fitted(List<Site> sites, BiFunction<Site, String, @Nullable Shape> shapes) {
    Map<String, Integer> ranks = new LinkedHashMap<>();
    for (Site site : sites) {
      Shape a = shapes.apply(site, site.kind() == Kind.EMBEDDING ? EMBEDDING_A : A);
      long each = site.kind() == Kind.EXPERTS ? site.shape().get(0) : 1;
      if (a != null && a.dimension() > 1 && a.get(0) >= each && a.get(0) != each * at(site).rank) {
        ranks.put(site.path(), (int) (a.get(0) / each));
      }
    }
    if (ranks.isEmpty() || rankPattern.isEmpty()) {
      return this;
    }
    ranks.putAll(rankPattern);
    return withRanks(ranks);
  }

  /**
   * What data gave is not in W0 and the seed, so ranks go into patterns, and a base that was
   * shifted goes into a LoRA of twice the rank: {@code W0 - s B0 A0 + s B A = W0 + s [B, -B0] [A;
   * A0]}.
   */
  @Override
  public Lora finished(List<At> sites) {
    if (!init.fromData()) {
      return this;
    }
    Lora plain = withInit(LoraInit.KAIMING).withRanks(Map.of()).withAlphas(Map.of());
    Lora all = init.shifts() ? plain.resized(2 * rank) : plain;
    Map<String, Integer> ranks = new LinkedHashMap<>();
    Map<String, Double> alphas = new LinkedHashMap<>();
    for (At at : sites) {
      int trained = (int) at.theta(A).getShape().get(0);
      Lora here = at(at.site()).resized(init.shifts() ? 2 * trained : trained);
      if (here.rank != all.rank) {
        ranks.put(at.site().path(), here.rank);
      }
      if (here.alpha != all.alpha) {
        alphas.put(at.site().path(), here.alpha);
      }
    }
    return all.withRanks(ranks).withAlphas(alphas);
  }

  @Override
  public NDArray stored(At at, String tensor) {
    NDArray value = at.theta(tensor);
    NDArray a = at.thetaOrNull(A_START);
    NDArray b = at.thetaOrNull(B_START);
    if (a == null || b == null) {
      return value;
    }
    return tensor.equals(A)
        ? value.concat(a, 0)
        : tensor.equals(B) ? value.concat(b.neg(), 1) : value;
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("r", rank);
    c.put("lora_alpha", Patterns.tidy(alpha));
    c.put("lora_dropout", dropout);
    c.put("use_rslora", rsLora);
    c.put("lora_bias", loraBias);
    c.put("init_lora_weights", init.toConfig());
    c.putAll(init.moreConfig());
    c.put("rank_pattern", rankPattern);
    Map<String, Object> alphas = new LinkedHashMap<>();
    alphaPattern.forEach((k, v) -> alphas.put(k, Patterns.tidy(v)));
    c.put("alpha_pattern", alphas);
    return c;
  }

  private static LoraStart start(Entries c) {
    Object named = c.textOrFlag("init_lora_weights", true);
    return named.equals("loftq") ? Loftq.fromConfig(c) : LoraInit.fromConfig(named);
  }

  static Lora fromConfig(Entries c) {
    Map<String, Integer> ranks = new LinkedHashMap<>();
    c.numbers("rank_pattern").forEach((k, v) -> ranks.put(k, v.intValue()));
    // entries about other things than the numbers, or that are read elsewhere
    c.accept("fan_in_fan_out", "megatron_core", "qalora_group_size", "eva_config", "corda_config");
    return new Lora(
        c.integer("r", 8),
        c.number("lora_alpha", 8),
        c.number("lora_dropout", 0),
        c.flag("use_rslora", false),
        c.flag("lora_bias", false),
        start(c),
        ranks,
        c.numbers("alpha_pattern"));
  }

  @Override
  public String summary() {
    StringBuilder s = new StringBuilder("rank " + rank + ", alpha " + Patterns.tidy(alpha));
    if (rsLora) {
      s.append(", rsLoRA");
    }
    if (dropout > 0) {
      s.append(", dropout ").append(dropout);
    }
    if (init != LoraInit.KAIMING) {
      s.append(", init ").append(init);
    }
    if (!rankPattern.isEmpty()) {
      s.append(", ranks ").append(rankPattern);
    }
    if (!alphaPattern.isEmpty()) {
      s.append(", alphas ").append(alphaPattern);
    }
    return s.toString();
  }

  /** LoRA's options, for {@code Peft.lora(model)}. */
  public static final class Options<R> extends Fluent<Lora, Options<R>, R> {
    private Options(Draft<Lora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Lora(), target));
    }

    /** r, at least 1; default 8. */
    public Options<R> rank(int rank) {
      return with(tuner().withRank(rank));
    }

    /** Numerator of the scale {@code alpha / r}; default 8. */
    public Options<R> alpha(double alpha) {
      return with(tuner().withAlpha(alpha));
    }

    /** Dropout on the input of the branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      return with(tuner().withDropout(p));
    }

    /** Scales by {@code alpha / sqrt(r)}. */
    public Options<R> rsLora() {
      return with(tuner().withRsLora());
    }

    /** Gives B a bias, in Hugging Face's words {@code lora_bias}. */
    public Options<R> loraBias() {
      return with(tuner().withLoraBias());
    }

    /** How A and B start; default {@link LoraInit#KAIMING}. */
    public Options<R> init(LoraStart init) {
      return with(tuner().withInit(init));
    }

    /**
     * Another rank for sites whose path ends in, or matches, {@code pattern}. The first pattern
     * that fits wins.
     */
    public Options<R> rankPattern(String pattern, int rank) {
      return with(tuner().withRanks(Patterns.plus(tuner().rankPattern, pattern, rank)));
    }

    /**
     * Another alpha for sites whose path ends in, or matches, {@code pattern}. The first pattern
     * that fits wins.
     */
    public Options<R> alphaPattern(String pattern, double alpha) {
      return with(tuner().withAlphas(Patterns.plus(tuner().alphaPattern, pattern, alpha)));
    }
  }
}
