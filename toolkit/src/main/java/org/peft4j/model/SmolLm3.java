package org.peft4j.model;

import java.util.List;
import java.util.function.IntPredicate;
import java.util.function.IntUnaryOperator;

/**
 * SmolLM3 (Hugging Face, 2025): Llama some of whose layers, every fourth one unless {@code
 * no_rope_layers} lists them, leave q and k as they are (NoPE, arXiv 2501.18795).
 */
final class SmolLm3 {
  private static final double DEFAULT_THETA = 2e6;

  static final Architecture ARCHITECTURE =
      new Architecture(
              "smollm3",
              "model",
              Llama.INPUTS,
              Llama.USUAL_TARGETS,
              (config, pooled) -> {
                boolean bias = config.flag("attention_bias", false);
                IntPredicate turned = turned(config);
                Config known =
                    config.with("rope_theta", config.number("rope_theta", DEFAULT_THETA));
                return new Llama(
                    known, new Llama.Traits(bias, bias, false, window(config, turned), turned));
              })
          .tied()
          .classifiedBy(LastTokenHead::new);

  private SmolLm3() {}

  /** Whether a layer has rotary positions; in the list, against its name, 1 says that it has. */
  private static IntPredicate turned(Config config) {
    List<String> listed = config.texts("no_rope_layers");
    int layers = config.size("num_hidden_layers");
    if (listed.isEmpty()) {
      int interval = config.sizeOr(4, "no_rope_layer_interval");
      return layer -> (layer + 1) % interval != 0;
    }
    if (listed.size() < layers || !List.of("0", "1").containsAll(listed)) {
      throw new IllegalArgumentException(
          config.source()
              + ": no_rope_layers\nexpected: 0 or 1 for each of "
              + layers
              + " layers\nfound: "
              + listed);
    }
    return layer -> listed.get(layer).equals("1");
  }

  /** A window, where there is one, is for the layers without positions. */
  private static IntUnaryOperator window(Config config, IntPredicate turned) {
    boolean typed = !config.texts("layer_types").isEmpty();
    int window = config.flag("use_sliding_window", false) ? config.sizeOr(0, "sliding_window") : 0;
    return typed ? Qwen2.window(config) : layer -> turned.test(layer) ? 0 : window;
  }
}
