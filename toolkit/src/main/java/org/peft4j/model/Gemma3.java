package org.peft4j.model;

import java.util.function.IntPredicate;

/**
 * Gemma 3 without its images (arXiv 2503.19786): Gemma 2 whose heads of q and k each pass an RMS
 * norm, with slower positions in the layers that see all tokens, every sixth one unless {@code
 * layer_types} lists them.
 */
final class Gemma3 {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "gemma3_text",
              "model",
              Llama.INPUTS,
              Llama.USUAL_TARGETS,
              (config, pooled) -> {
                int every = config.sizeOr(6, "sliding_window_pattern");
                IntPredicate local = Gemma2.local(config, layer -> (layer + 1) % every != 0);
                double finalCap = Gemma2.cap(config, "final_logit_softcapping", 0);
                return new Gemma2(
                    config, new Gemma2.Traits(local, near(config), far(config), true, 0, finalCap));
              })
          .tied()
          .classifiedBy(LastTokenHead::new);

  private Gemma3() {}

  private static RotaryScaling near(Config config) {
    double theta = config.number("rope_local_base_freq", 1e4);
    return rotary(config.with("rope_theta", theta).with("rope_scaling", null), "sliding_attention");
  }

  private static RotaryScaling far(Config config) {
    double theta = config.number("rope_theta", 1e6);
    return rotary(config.with("rope_theta", theta), "full_attention");
  }

  /** By what {@code rope_parameters} says of a type of layers, else by the older entries. */
  private static RotaryScaling rotary(Config older, String type) {
    Config both = older.object("rope_parameters");
    Config own = both == null ? null : both.object(type);
    return RotaryScaling.of(
        older.with("rope_parameters", own == null ? null : own.values()), Gemma2.headSize(older));
  }
}
