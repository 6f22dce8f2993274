package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;

/**
 * Surgical fine-tuning (Lee et al., arXiv 2210.11466): full fine-tuning of some layers, {@code W =
 * theta}. Which ones is chosen with {@code layers} or {@code targets}, or left to relative gradient
 * norms (Auto-RGN): {@code rgn_i = |g_i| / |theta_i|} for every tensor i, and tensor i learns at
 * {@code rgn_i / max_j rgn_j} times the run's rate. A tensor of zeros has no such ratio and stays.
 *
 * <p>The ratios are those of each update's own gradients, so that they need no state; the paper's
 * code takes the mean over 5 batches once per epoch. A new head is not among them: its weights are
 * random, and it learns at the run's rate.
 *
 * @param autoRgn whether relative gradient norms set the learning rates
 */
public record Surgical(boolean autoRgn) implements Whole {
  /** The same learning rate everywhere. */
  public Surgical() {
    this(false);
  }

  @Override
  public String name() {
    return "surgical";
  }

  @Override
  public String peftType() {
    return "SURGICAL";
  }

  @Override
  public Map<String, Double> learningRates(Map<String, NDArray> trained) {
    if (!autoRgn || trained.isEmpty()) {
      return Map.of();
    }
    Map<String, Double> rgn = new LinkedHashMap<>();
    trained.forEach(
        (name, theta) -> {
          double size = theta.norm().getFloat();
          rgn.put(name, size == 0 ? 0 : theta.getGradient().norm().getFloat() / size);
        });
    double max = Collections.max(rgn.values());
    rgn.replaceAll((name, r) -> max == 0 ? 0 : r / max);
    return rgn;
  }

  @Override
  public Map<String, Object> toConfig() {
    return Map.of("auto_rgn", autoRgn);
  }

  static Surgical fromConfig(Entries c) {
    return new Surgical(c.flag("auto_rgn", false));
  }

  @Override
  public String summary() {
    return "all parameters of the layers"
        + (autoRgn ? ", learning rates by relative gradient norms" : "");
  }

  /** The options, for {@code Peft.surgical(model)}. */
  public static final class Options<R> extends Fluent<Surgical, Options<R>, R> {
    private Options(Draft<Surgical, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Surgical(), target));
    }

    /** Lets relative gradient norms set the learning rate of every tensor. */
    public Options<R> autoRgn() {
      return with(new Surgical(true));
    }
  }
}
