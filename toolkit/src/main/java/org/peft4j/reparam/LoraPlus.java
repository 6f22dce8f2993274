package org.peft4j.reparam;

import org.peft4j.spi.Checks;
import org.peft4j.spi.Entries;

/**
 * LoRA+ (Hayou et al., arXiv 2402.12354): LoRA whose B learns faster than its A. What is saved is a
 * LoRA.
 *
 * @param ratio learning rate of B over that of A
 */
public record LoraPlus(Lora lora, double ratio) implements OnLora {
  /** LoRA's defaults, ratio 16. */
  public LoraPlus() {
    this(new Lora(), 16);
  }

  public LoraPlus {
    Checks.finite("loraplus_lr_ratio", ratio);
    Checks.positive("loraplus_lr_ratio", ratio);
  }

  @Override
  public String name() {
    return "lora_plus";
  }

  @Override
  public LoraPlus on(Lora other) {
    return new LoraPlus(other, ratio);
  }

  @Override
  public double learningRateScale(String tensor) {
    return tensor.startsWith("lora_B") ? ratio : 1;
  }

  @Override
  public String summary() {
    return lora.summary() + ", B learns " + Patterns.tidy(ratio) + " times as fast";
  }

  static LoraPlus fromConfig(Entries c) {
    return new LoraPlus(Lora.fromConfig(c), c.number("loraplus_lr_ratio", 16));
  }

  /** The options, for {@code Peft.loraPlus(model)}. */
  public static final class Options<R> extends LoraOptions<LoraPlus, Options<R>, R> {
    private Options(Draft<LoraPlus, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new LoraPlus(), target));
    }

    /** Learning rate of B over that of A; default 16. */
    public Options<R> ratio(double ratio) {
      return with(new LoraPlus(tuner().lora, ratio));
    }
  }
}
