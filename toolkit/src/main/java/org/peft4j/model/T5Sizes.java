package org.peft4j.model;

import org.peft4j.tensor.ActivationFunction;

/**
 * What all layers of a T5 have in common.
 *
 * @param hidden width of the hidden states
 * @param inner width inside of the feed-forward part
 * @param headSize width of one head; heads together may be wider than the hidden states
 * @param buckets number of relative positions that are told apart
 * @param farthest the distance from which on all are one
 * @param gated whether the feed-forward part multiplies two projections (v1.1, mT5)
 */
record T5Sizes(
    int hidden,
    int inner,
    int heads,
    int headSize,
    int buckets,
    int farthest,
    double epsilon,
    double dropout,
    boolean gated,
    ActivationFunction activation) {
  static T5Sizes of(Config config) {
    boolean mt5 = config.modelType().equals("mt5");
    String feed = config.text("feed_forward_proj", mt5 ? "gated-gelu" : "relu");
    boolean gated = feed.startsWith("gated-");
    String name = gated ? feed.substring("gated-".length()) : feed;
    String activation = feed.equals("gated-gelu") ? "gelu_new" : name;
    return new T5Sizes(
        config.size("d_model", "hidden_size"),
        config.size("d_ff"),
        config.size("num_heads", "num_attention_heads"),
        config.size("d_kv", "head_dim"),
        config.sizeOr(32, "relative_attention_num_buckets"),
        config.sizeOr(128, "relative_attention_max_distance"),
        config.number("layer_norm_epsilon", 1e-6),
        config.probability("dropout_rate", 0.1),
        gated,
        ActivationFunction.of(activation, config.source()));
  }
}
