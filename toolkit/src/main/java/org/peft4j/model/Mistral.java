package org.peft4j.model;

/**
 * Mistral (Jiang et al., arXiv 2310.06825): Llama whose layers see at most the last {@code
 * sliding_window} tokens, where the configuration gives a window.
 */
final class Mistral {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "mistral",
              "model",
              Llama.INPUTS,
              Llama.USUAL_TARGETS,
              (config, pooled) -> {
                int window = config.sizeOr(0, "sliding_window");
                return new Llama(config, new Llama.Traits(false, false, false, layer -> window));
              })
          .classifiedBy(LastTokenHead::new);

  private Mistral() {}
}
