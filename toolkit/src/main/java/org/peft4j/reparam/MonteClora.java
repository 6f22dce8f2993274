package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Gamma;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Seed;

/**
 * MonteCLoRA (Sengupta et al., arXiv 2411.04358): LoRA that trains on {@code A + scale sum_i w_i
 * sqrt(v) Z_i} in A's place, Z of n standard normals {@code [r, in]}, the variances v {@code [r]}
 * from a Wishart distribution at {@code exp(2 s)}, the weights w {@code [n]} nearly from a
 * Dirichlet distribution at {@code a = exp(p)}; s and p are trained. The loss gains the mean over
 * sites of {@code weight (KL(w) + KL(s) + KL(v))}, the divergences from their priors. In use it is
 * a LoRA. The divergence of w is that of Dirichlet distributions; Hugging Face's has a sign turned.
 *
 * @param samples n, at least 1
 * @param scale of the noise
 * @param weight of the divergences in the loss
 * @param prior of w, above 0; the smaller, the more one sample outweighs the others
 * @param entropy whether the loss gains {@code |w|^2} too, so that samples count alike
 */
public record MonteClora(
    Lora lora, int samples, double scale, double weight, double prior, boolean entropy)
    implements OnLora {
  private static final String CONFIG = "monteclora_config";
  private static final String OWN = "lora_monteclora_sampler.";
  private static final String S = OWN + "std_prior";
  private static final String P = OWN + "expert_weights_prior";
  private static final String V = OWN + "gaussian_var_prior";
  private static final String W = OWN + "expert_weights";
  private static final double LEAST_VARIANCE = 1e-3;
  private static final double TINY = 1e-6;

  /** LoRA's defaults, 8 samples of scale 1e-4, weight 1e-5, prior 0.1. */
  public MonteClora() {
    this(new Lora(), 8, 1e-4, 1e-5, 0.1, false);
  }

  public MonteClora {
    Checks.atLeast("num_samples", 1, samples);
    Checks.finite("sample_scaler", scale);
    Checks.finite("kl_loss_weight", weight);
    Checks.positive("dirichlet_prior", prior);
  }

  @Override
  public String name() {
    return "monteclora";
  }

  @Override
  public MonteClora on(Lora other) {
    return new MonteClora(other, samples, scale, weight, prior, entropy);
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    lora.declare(site, theta);
    int r = lora.rank();
    Init random = (c, shape) -> c.seed().uniform(c.manager(), shape, 0, 1);
    theta.trained(S, new Shape(r), random);
    theta.trained(P, new Shape(samples), random);
    theta.accumulated(V, new Shape(r, r), (c, shape) -> c.manager().eye(r));
    theta.accumulated(W, new Shape(samples), Init.constant(1.0 / samples));
  }

  /** What chance gives at one site: v {@code [r]}, w {@code [n]}. */
  private record Draw(NDArray v, NDArray w) {}

  private static Seed seed(At at) {
    return at.pass().seed().at(at.site().path()).at(CONFIG);
  }

  private Draw draw(At at) {
    NDArray s = at.theta(S);
    NDManager manager = s.getManager();
    Shape square = new Shape(s.size(), s.size());
    NDArray chi = seed(at).at("v").normal(manager, square, 1).square().sum(new int[] {0});
    NDArray v = Scalars.mul(s, 2).exp().mul(chi);
    v = v.maximum(Scalars.of(v, LEAST_VARIANCE));
    NDArray log = at.theta(P);
    NDArray tiny = Scalars.of(log, TINY);
    NDArray inverse = log.neg().exp(); // 1 / a
    NDArray all = Scalars.div(inverse.sum(), (double) samples * samples);
    NDArray spread = Scalars.mul(inverse, 1 - 2.0 / samples).add(all).maximum(tiny).add(tiny);
    NDArray z = seed(at).at("w").normal(manager, new Shape(samples), 1);
    return new Draw(v, spread.sqrt().mul(z).add(log.sub(log.mean())).softmax(0));
  }

  @Override
  public At factors(At at) {
    if (!at.pass().training()) {
      return at;
    }
    NDArray a = at.theta(Lora.A);
    Draw draw = draw(at);
    Buffers.copy(diagonal(draw.v.stopGradient()), at.theta(V));
    Buffers.copy(draw.w.stopGradient(), at.theta(W));
    NDArray z = seed(at).at("z").normal(a.getManager(), new Shape(samples, a.size()), 1);
    NDArray weights = draw.w.reshape(1, samples);
    NDArray mixed = weights.matMul(z.toType(a.getDataType(), false)).reshape(a.getShape());
    NDArray noise = Scalars.mul(mixed.mul(draw.v.sqrt().expandDims(1)), scale);
    return at.with(Lora.A, a.add(noise));
  }

  private static NDArray diagonal(NDArray v) {
    return v.getManager().eye((int) v.size()).mul(v);
  }

  @Override
  public @Nullable NDArray penalty(List<At> sites) {
    NDArray sum = null;
    for (At at : sites) {
      Draw draw = draw(at);
      NDArray apart =
          ofWeights(at.theta(P).exp())
              .add(ofVariances(Scalars.mul(at.theta(S), 2).exp(), lora.rank()))
              .add(ofVariances(draw.v, samples));
      NDArray here = Scalars.mul(apart, weight);
      here = entropy ? here.add(draw.w.square().sum()) : here;
      sum = sum == null ? here : sum.add(here);
    }
    return sum == null ? null : Scalars.div(sum, sites.size());
  }

  /** Divergence of a Dirichlet distribution at a from that of the prior. */
  private NDArray ofWeights(NDArray a) {
    NDArray before = Scalars.mul(a.onesLike(), prior);
    NDArray along = a.sub(before).mul(Gamma.digamma(a).sub(Gamma.digamma(a.sum()))).sum();
    return normaliser(a).sub(normaliser(before)).add(along);
  }

  private static NDArray normaliser(NDArray a) {
    return Gamma.log(a.sum()).sub(Gamma.log(a).sum());
  }

  /** {@code times / 2 sum(v - ln v - 1)}, of variances from 1. */
  private static NDArray ofVariances(NDArray v, int times) {
    return Scalars.mul(v.sub(v.log()).sub(Scalars.of(v, 1)).sum(), times / 2.0);
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> own = new LinkedHashMap<>();
    own.put("dirichlet_prior", prior);
    own.put("kl_loss_weight", weight);
    own.put("num_samples", (long) samples);
    own.put("sample_scaler", scale);
    own.put("use_entropy", entropy);
    Map<String, Object> c = new LinkedHashMap<>(lora.toConfig());
    c.put(CONFIG, own);
    return c;
  }

  static boolean in(Entries c) {
    return c.has(CONFIG);
  }

  static MonteClora fromConfig(Entries c) {
    Entries own = c.section(CONFIG);
    own.accept("buffer_size"); // how many draws are made at once
    MonteClora read =
        new MonteClora(
            Lora.fromConfig(c),
            own.integer("num_samples", 8),
            own.number("sample_scaler", 1e-4),
            own.number("kl_loss_weight", 1e-5),
            own.number("dirichlet_prior", 0.1),
            own.flag("use_entropy", false));
    own.requireAllRead();
    return read;
  }

  @Override
  public String summary() {
    return lora.summary() + ", " + samples + " samples";
  }

  /** The options, for {@code Peft.monteClora(model)}. */
  public static final class Options<R> extends LoraOptions<MonteClora, Options<R>, R> {
    private Options(Draft<MonteClora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new MonteClora(), target));
    }

    /** Number and scale of the samples; default 8 and 1e-4. */
    public Options<R> samples(int samples, double scale) {
      MonteClora t = tuner();
      return with(new MonteClora(t.lora, samples, scale, t.weight, t.prior, t.entropy));
    }

    /** Weight of the divergences in the loss, and the prior of w; default 1e-5 and 0.1. */
    public Options<R> regularization(double weight, double prior) {
      MonteClora t = tuner();
      return with(new MonteClora(t.lora, t.samples, t.scale, weight, prior, t.entropy));
    }

    /** Adds {@code |w|^2} to the loss, so that samples count alike. */
    public Options<R> entropy() {
      MonteClora t = tuner();
      return with(new MonteClora(t.lora, t.samples, t.scale, t.weight, t.prior, true));
    }
  }
}
