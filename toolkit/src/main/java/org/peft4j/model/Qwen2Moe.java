package org.peft4j.model;

import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * Qwen1.5-MoE and Qwen2-MoE (arXiv 2407.10671): Qwen2 whose feed-forward parts are mixtures of
 * experts beside one that sees every token.
 */
final class Qwen2Moe {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "qwen2_moe",
              "model",
              Llama.INPUTS,
              Llama.USUAL_TARGETS,
              (config, pooled) ->
                  new Llama(
                      config,
                      new Llama.Traits(config.flag("qkv_bias", true), false, false, window(config))
                          .feeding(
                              (c, layer) ->
                                  SparseFeedForward.qwen(
                                      c, layer, "shared_expert_intermediate_size"))))
          .expertsFiled("gate_proj", "up_proj", "down_proj")
          .classifiedBy(LastTokenHead::new);

  private Qwen2Moe() {}

  /** Unlike Qwen2, every second layer below {@code max_window_layers} has the window. */
  private static IntUnaryOperator window(Config config) {
    if (!config.flag("use_sliding_window", false)) {
      return layer -> 0;
    }
    List<String> types = config.texts("layer_types");
    if (!types.isEmpty()) {
      return Qwen2.window(config);
    }
    int window = config.sizeOr(4096, "sliding_window");
    int first = (int) config.number("max_window_layers", 28);
    return layer -> layer % 2 == 0 && layer < first ? window : 0;
  }
}
