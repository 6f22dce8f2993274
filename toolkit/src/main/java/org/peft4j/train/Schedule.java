package org.peft4j.train;

/** How the learning rate goes after the warm-up, in which it rises linearly from 0. */
public enum Schedule {
  CONSTANT,
  /** Falls to 0 on a straight line. */
  LINEAR,
  /** Falls to 0 on half a cosine. */
  COSINE;

  /**
   * The factor on the learning rate for an update, as in {@code transformers}.
   *
   * @param step number of updates made before this one
   * @param warmup updates of warm-up
   * @param total updates of the whole run
   */
  public double factor(long step, long warmup, long total) {
    if (step < warmup) {
      return (double) step / Math.max(1, warmup);
    }
    double progress = (double) (step - warmup) / Math.max(1, total - warmup);
    return switch (this) {
      case CONSTANT -> 1;
      case LINEAR -> Math.max(0, 1 - progress);
      case COSINE -> Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
    };
  }
}
