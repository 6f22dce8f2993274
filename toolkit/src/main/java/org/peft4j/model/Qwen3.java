package org.peft4j.model;

/** Qwen3 (arXiv 2505.09388): Llama whose heads of q and k each pass an RMS norm. */
final class Qwen3 {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "qwen3",
              "model",
              Llama.INPUTS,
              Llama.USUAL_TARGETS,
              (config, pooled) -> {
                boolean bias = config.flag("attention_bias", false);
                return new Llama(config, new Llama.Traits(bias, bias, true, Qwen2.window(config)));
              })
          .classifiedBy(LastTokenHead::new);

  private Qwen3() {}
}
