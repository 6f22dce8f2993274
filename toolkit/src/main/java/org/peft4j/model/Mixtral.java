package org.peft4j.model;

/**
 * Mixtral (Jiang et al., arXiv 2401.04088) as {@code transformers} computes it: Mistral whose
 * feed-forward parts are mixtures of experts. The loss that balances these in pretraining, and the
 * noise on their router, are left out.
 */
final class Mixtral {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "mixtral",
              "model",
              Llama.INPUTS,
              Llama.USUAL_TARGETS,
              (config, pooled) -> {
                int window = config.sizeOr(0, "sliding_window");
                Config known =
                    config
                        .with("rms_norm_eps", config.number("rms_norm_eps", 1e-5))
                        .with("rope_theta", config.number("rope_theta", 1e6));
                return new Llama(
                    known,
                    new Llama.Traits(false, false, false, layer -> window)
                        .feeding(
                            (c, layer) ->
                                new SparseFeedForward(
                                    c, "num_local_experts", "intermediate_size", true, null)));
              })
          .filed(".mlp.=.block_sparse_moe.")
          .expertsFiled("w1", "w3", "w2")
          .classifiedBy(LastTokenHead::new);

  private Mixtral() {}
}
