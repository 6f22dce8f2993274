package org.peft4j.model;

/** Qwen3-MoE (arXiv 2505.09388): Qwen3 whose feed-forward parts are mixtures of experts. */
final class Qwen3Moe {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "qwen3_moe",
              "model",
              Llama.INPUTS,
              Llama.USUAL_TARGETS,
              (config, pooled) -> {
                boolean bias = config.flag("attention_bias", false);
                int window =
                    config.flag("use_sliding_window", false)
                        ? config.sizeOr(4096, "sliding_window")
                        : 0;
                return new Llama(
                    config,
                    new Llama.Traits(bias, bias, true, layer -> window)
                        .feeding((c, layer) -> SparseFeedForward.qwen(c, layer, null)));
              })
          .expertsFiled("gate_proj", "up_proj", "down_proj")
          .classifiedBy(LastTokenHead::new);

  private Qwen3Moe() {}
}
