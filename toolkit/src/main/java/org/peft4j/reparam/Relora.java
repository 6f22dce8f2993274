package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import java.util.List;
import java.util.Map;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Site;

/**
 * ReLoRA (Lialin et al., arXiv 2307.05695): LoRA that starts over, so that low-rank phases add up
 * to an update of high rank. {@code W = W0 + D + s B A}; at each restart {@code D += s B A}, A is
 * random anew and {@code B = 0}. D {@code [out, in]} is saved with the adapter, which is therefore
 * as large as the weights it adapts. A run too short for a restart trains a LoRA.
 *
 * @param lora what is trained between restarts; its B starts at 0
 */
public record Relora(Lora lora, Restarts restarts) implements OnLora, Restarting {
  /** LoRA's and the restarts' defaults. */
  public Relora() {
    this(new Lora(), new Restarts());
  }

  public Relora {
    if (lora.init() != LoraInit.KAIMING && lora.init() != LoraInit.GAUSSIAN) {
      throw new IllegalArgumentException(
          "init: what starts over starts without an effect, kaiming or gaussian, found "
              + lora.init());
    }
    if (lora.loraBias()) {
      throw new IllegalArgumentException(
          "lora_bias: a restart adds to the weight alone\n"
              + "fix: train the biases beside it, bias: all");
    }
  }

  @Override
  public String name() {
    return "relora";
  }

  @Override
  public String peftType() {
    return "RELORA";
  }

  @Override
  public Relora on(Lora other) {
    return new Relora(other, restarts);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    lora.declare(site, theta);
    restarts.declare(site, theta);
  }

  @Override
  public NDArray delta(At at) {
    return Restarts.delta(at, lora.delta(at));
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    return Restarts.branch(at, x, lora.branch(at, x));
  }

  @Override
  public NDArray forward(At at, NDArray x) {
    return lora.onto(at, Restarts.base(at, x), x);
  }

  @Override
  public void afterStep(List<At> sites, long step, long total) {
    if (restarts.due(step, total)) {
      sites.forEach(at -> Restarts.restart(at, on(lora.at(at.site()))));
    }
  }

  @Override
  public Map<String, Object> toConfig() {
    return restarts.toConfig(lora.toConfig());
  }

  static Relora fromConfig(Entries c) {
    return new Relora(Lora.fromConfig(c), Restarts.fromConfig(c));
  }

  @Override
  public String summary() {
    return lora.summary() + ", " + restarts.summary();
  }

  /** The options, for {@code Peft.relora(model)}. */
  public static final class Options<R> extends LoraOptions<Relora, Options<R>, R> {
    private Options(Draft<Relora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Relora(), target));
    }

    private Options<R> with(Restarts restarts) {
      return with(new Relora(tuner().lora, restarts));
    }

    /** Updates from one restart to the next; default a quarter of the run. */
    public Options<R> every(int steps) {
      return with(tuner().restarts.withEvery(steps));
    }

    /** Share of these updates in which the learning rate rises again; default 0.1. */
    public Options<R> warmup(double share) {
      return with(tuner().restarts.withWarmup(share));
    }

    /** Share of the optimizer's moments to forget at a restart, the smallest; default 0.99. */
    public Options<R> prune(double share) {
      return with(tuner().restarts.withPrune(share));
    }
  }
}
