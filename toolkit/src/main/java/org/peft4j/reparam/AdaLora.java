package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
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
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scalars;

/**
 * AdaLoRA (Zhang et al., arXiv 2303.10512): {@code W = W0 + s B diag(E) A}, A {@code [r, in]} (for
 * a convolution {@code [r, in k...]}), E {@code [r, 1]}, B {@code [out, r]}, {@code s = alpha /
 * (initRank + 1e-5)}; A and B are kept near orthogonal by a penalty. A budget of ranks falls along
 * a cubic from {@code initRank} per site to {@code targetRank} on average; the singular triplets
 * with the lowest importance (sensitivity times uncertainty, smoothed) lose their E.
 *
 * @param steps length of the schedule in steps; 0 takes the training run's
 * @param warmup steps before the budget falls ({@code tinit})
 * @param settle steps at the end with the ranks fixed ({@code tfinal})
 * @param every steps between two allocations ({@code deltaT})
 * @param kept which of the {@code initRank} triplets survive, by module path; empty before pruning
 */
public record AdaLora(
    int initRank,
    int targetRank,
    double alpha,
    double dropout,
    int steps,
    int warmup,
    int settle,
    int every,
    double beta1,
    double beta2,
    double orthogonality,
    Map<String, List<Boolean>> kept)
    implements Additive {

  private static final String A = "lora_A";
  private static final String B = "lora_B";
  private static final String E = "lora_E";
  private static final String MASK = "mask";
  private static final List<String> TENSORS = List.of(A, B, E);

  /** Hugging Face's defaults. */
  public AdaLora() {
    this(12, 8, 8, 0, 0, 0, 0, 1, 0.85, 0.85, 0.5, Map.of());
  }

  public AdaLora {
    Checks.rank(initRank);
    Checks.rank(targetRank);
    Checks.finite("alpha", alpha);
    Checks.probability("dropout", dropout);
    Checks.finite("orth_reg_weight", orthogonality);
    if (targetRank > initRank) {
      throw new IllegalArgumentException(
          "target_r: expected at most init_r " + initRank + ", found " + targetRank);
    }
    if (steps < 0 || warmup < 0 || settle < 0 || every < 1) {
      throw new IllegalArgumentException(
          "schedule: expected steps, warmup and settle of at least 0 and every of at least 1, found "
              + steps
              + ", "
              + warmup
              + ", "
              + settle
              + ", "
              + every);
    }
    if (!(beta1 > 0 && beta1 < 1 && beta2 > 0 && beta2 < 1)) {
      throw new IllegalArgumentException(
          "beta1 and beta2: expected numbers between 0 and 1, found " + beta1 + " and " + beta2);
    }
    kept = Patterns.plain(kept);
  }

  @Override
  public String name() {
    return "adalora";
  }

  @Override
  public String peftType() {
    return "ADALORA";
  }

  @Override
  public boolean transposable() {
    return true;
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR, Kind.CONV);
  }

  @Override
  public boolean scheduled() {
    return kept.isEmpty();
  }

  private double scale() {
    return alpha / (initRank + 1e-5);
  }

  private int rankAt(Site site) {
    for (Map.Entry<String, List<Boolean>> e : kept.entrySet()) {
      if (e.getKey().equals(site.path()) || e.getKey().endsWith("." + site.path())) {
        return (int) e.getValue().stream().filter(k -> k).count();
      }
    }
    return initRank;
  }

  @Override
  public void declare(Site site, Declaration theta) {
    int r = rankAt(site);
    theta.trained(A, new Shape(r, site.shape().size() / site.out()), Init.normal(0.02));
    theta.trained(B, new Shape(site.out(), r), Init.normal(0.02));
    theta.trained(E, new Shape(r, 1), Init.ZEROS);
    if (scheduled()) {
      for (Declaration.Entry e : theta.entries()) {
        theta.state(e.name() + ".importance", e.shape());
        theta.state(e.name() + ".uncertainty", e.shape());
      }
      theta.state(MASK, new Shape(r)); // 1 where a triplet has been cut
    }
  }

  @Override
  public NDArray delta(At at) {
    NDArray product = at.theta(B).matMul(at.theta(A).mul(at.theta(E)));
    return Scalars.mul(product, scale()).reshape(at.site().shape());
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    if (at.site().kind() == Kind.CONV) {
      return at.map(at.dropout(dropout, x), delta(at), null);
    }
    NDArray low = at.map(at.dropout(dropout, x), at.theta(A).mul(at.theta(E)), null);
    return Scalars.mul(at.map(low, at.theta(B), null), scale());
  }

  /** {@code orthogonality * mean ||A A^T - I||_F, ||B^T B - I||_F} over all sites. */
  @Override
  public @Nullable NDArray penalty(List<At> sites) {
    NDArray sum = null;
    for (At at : sites) {
      NDArray a = at.theta(A);
      NDArray b = at.theta(B);
      if (a.size() == 0) {
        continue;
      }
      NDArray both = deviation(a.matMul(a.transpose())).add(deviation(b.transpose().matMul(b)));
      sum = sum == null ? both : sum.add(both);
    }
    return sum == null ? null : Scalars.mul(sum, orthogonality / (2.0 * sites.size()));
  }

  /** {@code |gram - I|}. */
  static NDArray deviation(NDArray gram) {
    NDArray eye =
        gram.getManager().eye((int) gram.getShape().get(0)).toType(gram.getDataType(), false);
    return gram.sub(eye).square().sum().sqrt();
  }

  @Override
  public void afterStep(List<At> sites, long step, long total) {
    if (!scheduled()) {
      return;
    }
    long length = steps > 0 ? steps : total;
    if (length <= (long) warmup + settle) {
      throw new IllegalStateException(
          "AdaLoRA's schedule does not fit: warmup "
              + warmup
              + " + settle "
              + settle
              + " must be less than the "
              + length
              + " steps of the run");
    }
    if (step < length - settle) {
      sites.forEach(this::observe);
    }
    if (step <= length - settle) {
      boolean last = step == length - settle;
      if (last || (step > warmup && step % every == 0)) {
        allocate(sites, budget(step, length, sites.size()));
      }
    } else {
      sites.forEach(AdaLora::cut);
    }
  }

  /** Number of triplets that may live at this step, all sites together. */
  int budget(long step, long length, int sites) {
    int first = initRank * sites;
    int last = targetRank * sites;
    if (step <= warmup) {
      return first;
    }
    if (step > length - settle) {
      return last;
    }
    double left = 1 - (double) (step - warmup) / (length - settle - warmup);
    return (int) ((first - last) * left * left * left + last);
  }

  /** Smooths each element's sensitivity |theta * gradient| and how much it varies. */
  private void observe(At at) {
    for (String tensor : TENSORS) {
      NDArray value = at.theta(tensor);
      NDArray sensitivity = value.stopGradient().mul(value.getGradient()).abs();
      NDArray importance = at.theta(tensor + ".importance");
      NDArray uncertainty = at.theta(tensor + ".uncertainty");
      importance.muli(beta1).addi(Scalars.mul(sensitivity, 1 - beta1));
      uncertainty.muli(beta2).addi(Scalars.mul(sensitivity.sub(importance).abs(), 1 - beta2));
    }
  }

  /** Cuts all but the {@code budget} most important triplets of all sites. */
  private void allocate(List<At> sites, int budget) {
    List<float[]> scores = new ArrayList<>();
    int n = 0;
    for (At at : sites) {
      NDArray score =
          score(at, E)
              .squeeze(1)
              .add(score(at, A).mean(new int[] {1}))
              .add(score(at, B).mean(new int[] {0}));
      scores.add(score.toFloatArray());
      n += scores.get(scores.size() - 1).length;
    }
    float[] all = new float[n];
    int k = 0;
    for (float[] s : scores) {
      System.arraycopy(s, 0, all, k, s.length);
      k += s.length;
    }
    Arrays.sort(all);
    float threshold = n > budget ? all[n - budget - 1] : Float.NEGATIVE_INFINITY;
    for (int i = 0; i < sites.size(); i++) {
      float[] mask = new float[scores.get(i).length];
      for (int j = 0; j < mask.length; j++) {
        mask[j] = scores.get(i)[j] <= threshold ? 1 : 0;
      }
      Buffers.view(sites.get(i).theta(MASK)).asFloatBuffer().put(mask);
      cut(sites.get(i));
    }
  }

  private static NDArray score(At at, String tensor) {
    return at.theta(tensor + ".importance").mul(at.theta(tensor + ".uncertainty"));
  }

  private static void cut(At at) {
    NDArray e = at.theta(E);
    NDArray alive = at.theta(MASK).eq(0).toType(DataType.FLOAT32, false).expandDims(1);
    e.setRequiresGradient(false);
    e.muli(alive);
    e.setRequiresGradient(true);
  }

  @Override
  public Reparam finished(List<At> sites) {
    if (!scheduled() || sites.stream().allMatch(at -> at.theta(MASK).sum().getFloat() == 0)) {
      return this;
    }
    Map<String, List<Boolean>> masks = new LinkedHashMap<>();
    for (At at : sites) {
      List<Boolean> mask = new ArrayList<>();
      for (float cut : at.theta(MASK).toFloatArray()) {
        mask.add(cut == 0);
      }
      masks.put(at.site().path(), mask);
    }
    return new AdaLora(
        initRank,
        targetRank,
        alpha,
        dropout,
        steps,
        warmup,
        settle,
        every,
        beta1,
        beta2,
        orthogonality,
        masks);
  }

  /** The rows of A and E, and columns of B, whose triplets live. */
  @Override
  public NDArray stored(At at, String tensor) {
    NDArray value = at.theta(tensor);
    NDArray cut = at.thetaOrNull(MASK);
    if (cut == null) {
      return value;
    }
    float[] mask = cut.toFloatArray();
    List<Integer> alive = new ArrayList<>();
    for (int i = 0; i < mask.length; i++) {
      if (mask[i] == 0) {
        alive.add(i);
      }
    }
    boolean columns = tensor.equals(B);
    int rows = (int) value.getShape().get(0);
    int width = (int) value.getShape().get(1);
    float[] from = value.toFloatArray();
    int outRows = columns ? rows : alive.size();
    int outWidth = columns ? alive.size() : width;
    float[] to = new float[outRows * outWidth];
    for (int i = 0; i < outRows; i++) {
      for (int j = 0; j < outWidth; j++) {
        to[i * outWidth + j] =
            columns ? from[i * width + alive.get(j)] : from[alive.get(i) * width + j];
      }
    }
    return Buffers.create(value.getManager(), to, new Shape(outRows, outWidth));
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("r", 8);
    c.put("init_r", initRank);
    c.put("target_r", targetRank);
    c.put("lora_alpha", Patterns.tidy(alpha));
    c.put("lora_dropout", dropout);
    c.put("total_step", steps > 0 ? steps : shortest(warmup, settle));
    c.put("tinit", warmup);
    c.put("tfinal", settle);
    c.put("deltaT", every);
    c.put("beta1", beta1);
    c.put("beta2", beta2);
    c.put("orth_reg_weight", orthogonality);
    Map<String, Object> pattern = new LinkedHashMap<>();
    kept.forEach((path, mask) -> pattern.put(path + "." + E, mask));
    c.put("rank_pattern", pattern.isEmpty() ? Patterns.NULL : pattern);
    return c;
  }

  /**
   * The shortest schedule there is: stands in files for "the run's length", since Hugging Face
   * wants a number.
   */
  private static int shortest(int warmup, int settle) {
    return warmup + settle + 1;
  }

  static AdaLora fromConfig(Entries c) {
    int steps = c.integer("total_step", 0);
    int warmup = c.integer("tinit", 0);
    int settle = c.integer("tfinal", 0);
    c.accept(
        "r",
        "fan_in_fan_out",
        "init_lora_weights",
        "alpha_pattern",
        "megatron_core",
        "qalora_group_size",
        "use_rslora");
    Map<String, List<Boolean>> kept = new LinkedHashMap<>();
    c.masks("rank_pattern")
        .forEach((key, mask) -> kept.put(key.replaceFirst("\\.lora_E$", ""), mask));
    return new AdaLora(
        c.integer("init_r", 12),
        c.integer("target_r", 8),
        c.number("lora_alpha", 8),
        c.number("lora_dropout", 0),
        steps == shortest(warmup, settle) ? 0 : steps,
        warmup,
        settle,
        c.integer("deltaT", 1),
        c.number("beta1", 0.85),
        c.number("beta2", 0.85),
        c.number("orth_reg_weight", 0.5),
        kept);
  }

  @Override
  public String summary() {
    return "rank "
        + initRank
        + " to "
        + targetRank
        + " on average, alpha "
        + Patterns.tidy(alpha)
        + (dropout > 0 ? ", dropout " + dropout : "");
  }

  /** AdaLoRA's options, for {@code Peft.adalora(model)}. */
  public static final class Options<R> extends Fluent<AdaLora, Options<R>, R> {
    private Options(Draft<AdaLora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new AdaLora(), target));
    }

    /** Rank at the start and on average at the end; default 12 and 8. */
    public Options<R> ranks(int initial, int target) {
      AdaLora t = tuner();
      return with(
          new AdaLora(
              initial,
              target,
              t.alpha,
              t.dropout,
              t.steps,
              t.warmup,
              t.settle,
              t.every,
              t.beta1,
              t.beta2,
              t.orthogonality,
              t.kept));
    }

    /** Numerator of the scale; default 8. */
    public Options<R> alpha(double alpha) {
      AdaLora t = tuner();
      return with(
          new AdaLora(
              t.initRank,
              t.targetRank,
              alpha,
              t.dropout,
              t.steps,
              t.warmup,
              t.settle,
              t.every,
              t.beta1,
              t.beta2,
              t.orthogonality,
              t.kept));
    }

    /** Dropout on the input of the branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      AdaLora t = tuner();
      return with(
          new AdaLora(
              t.initRank,
              t.targetRank,
              t.alpha,
              p,
              t.steps,
              t.warmup,
              t.settle,
              t.every,
              t.beta1,
              t.beta2,
              t.orthogonality,
              t.kept));
    }

    /**
     * When the budget falls: not before {@code warmup} steps, every {@code every} steps, and no
     * more in the last {@code settle} steps of the run. Default: 0, 1, 0.
     */
    public Options<R> schedule(int warmup, int every, int settle) {
      AdaLora t = tuner();
      return with(
          new AdaLora(
              t.initRank,
              t.targetRank,
              t.alpha,
              t.dropout,
              t.steps,
              warmup,
              settle,
              every,
              t.beta1,
              t.beta2,
              t.orthogonality,
              t.kept));
    }

    /** Weight of the orthogonality penalty; default 0.5. */
    public Options<R> orthogonality(double weight) {
      AdaLora t = tuner();
      return with(
          new AdaLora(
              t.initRank,
              t.targetRank,
              t.alpha,
              t.dropout,
              t.steps,
              t.warmup,
              t.settle,
              t.every,
              t.beta1,
              t.beta2,
              weight,
              t.kept));
    }
  }
}
