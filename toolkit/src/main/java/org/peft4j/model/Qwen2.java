package org.peft4j.model;

import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * Qwen2 and Qwen2.5 (arXiv 2407.10671, 2412.15115): Llama with biases on q, k and v, and, if {@code
 * use_sliding_window} says so, a window in the layers from {@code max_window_layers} on.
 */
final class Qwen2 {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "qwen2",
              "model",
              Llama.INPUTS,
              Llama.USUAL_TARGETS,
              (config, pooled) ->
                  new Llama(config, new Llama.Traits(true, false, false, window(config))))
          .classifiedBy(LastTokenHead::new);

  private Qwen2() {}

  /** How many tokens a layer sees, 0 for all; {@code layer_types} goes before the older entries. */
  static IntUnaryOperator window(Config config) {
    if (!config.flag("use_sliding_window", false)) {
      return layer -> 0;
    }
    int window = config.sizeOr(0, "sliding_window");
    List<String> types = config.texts("layer_types");
    if (!types.isEmpty()) {
      return layer -> types.get(layer).equals("sliding_attention") ? window : 0;
    }
    int first = (int) config.number("max_window_layers", 28);
    return layer -> layer >= first ? window : 0;
  }
}
