package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.Experts;
import org.peft4j.nn.Projection;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Site;

/**
 * A mixture of experts (Shazeer et al., arXiv 1701.06538), of which each token goes to the {@code
 * num_experts_per_tok} that the router finds likeliest; beside them, where there is one, an expert
 * that sees every token and has a gate of its own.
 */
final class SparseFeedForward extends FeedForward {
  private final Projection router;
  private final Experts experts;
  private final @Nullable Gated shared;
  private final @Nullable Projection sharedGate;
  private final int k;
  private final boolean normalized;

  /**
   * A mixture.
   *
   * @param count key of the number of experts
   * @param inner key of the width of an expert
   * @param normalized whether the probabilities of a token's experts are made to sum to 1
   * @param shared key of the width of the expert that sees every token, or null without one
   */
  SparseFeedForward(
      Config config, String count, String inner, boolean normalized, @Nullable String shared) {
    int hidden = config.size("hidden_size");
    int n = config.size(count, "num_experts", "num_local_experts");
    this.normalized = normalized;
    k = config.size("num_experts_per_tok");
    if (k > n) {
      throw new IllegalArgumentException(
          config.source()
              + ": num_experts_per_tok\nexpected: at most the number of experts, "
              + n
              + "\nfound: "
              + k);
    }
    router = addChildBlock("gate", new Projection(hidden, n, false, Site.ROUTER));
    experts =
        addChildBlock("experts", new Experts(n, hidden, config.size(inner), activation(config)));
    this.shared =
        shared == null
            ? null
            : addChildBlock("shared_expert", new Gated(config, config.size(shared)));
    sharedGate =
        shared == null
            ? null
            : addChildBlock("shared_expert_gate", new Projection(hidden, 1, false, null));
  }

  @Override
  NDArray apply(Pass pass, NDArray x) {
    NDArray y = experts.apply(pass, x, router.apply(pass, x).softmax(2), k, normalized);
    return shared == null || sharedGate == null
        ? y
        : y.add(
            sharedGate.apply(pass, x).getNDArrayInternal().sigmoid().mul(shared.apply(pass, x)));
  }

  /**
   * Qwen's: in every {@code decoder_sparse_step}th layer but those of {@code mlp_only_layers}; the
   * others have Llama's.
   */
  static FeedForward qwen(Config config, int layer, @Nullable String shared) {
    boolean dense =
        config.texts("mlp_only_layers").contains(String.valueOf(layer))
            || config.number("num_experts", 1) == 0
            || (layer + 1) % config.sizeOr(1, "decoder_sparse_step") != 0;
    return dense
        ? gated(config, layer)
        : new SparseFeedForward(
            config,
            "num_experts",
            "moe_intermediate_size",
            config.flag("norm_topk_prob", false),
            shared);
  }
}
