package org.peft4j.reparam;

import java.util.function.Function;
import org.peft4j.spi.Fluent;

/**
 * The options that LoRA's relatives share.
 *
 * @param <T> the method
 * @param <S> the subclass, for chaining
 * @param <R> what {@code apply} makes
 */
public abstract class LoraOptions<T extends OnLora, S extends LoraOptions<T, S, R>, R>
    extends Fluent<T, S, R> {
  LoraOptions(Draft<T, R> draft, Function<Draft<T, R>, S> anew) {
    super(draft, anew);
  }

  @SuppressWarnings("unchecked")
  private S on(Lora lora) {
    return with((T) tuner().on(lora)); // a method's own `on` gives its own kind
  }

  /** r, at least 1; default 8. */
  public S rank(int rank) {
    return on(tuner().lora().withRank(rank));
  }

  /** Numerator of the scale {@code alpha / r}; default 8. */
  public S alpha(double alpha) {
    return on(tuner().lora().withAlpha(alpha));
  }

  /** Dropout on the input of the branch, in [0, 1); default 0. */
  public S dropout(double p) {
    return on(tuner().lora().withDropout(p));
  }

  /** Scales by {@code alpha / sqrt(r)}. */
  public S rsLora() {
    return on(tuner().lora().withRsLora());
  }
}
