package org.peft4j.model;

import java.util.List;

/**
 * RoBERTa (Liu et al., arXiv 1907.11692): BERT whose positions count from behind the id of padding,
 * with a classifier of its own.
 */
final class Roberta {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "roberta",
              "roberta",
              List.of("input_ids", "attention_mask", "token_type_ids"),
              List.of("q", "v"),
              (config, pooled) -> new Bert(config, pooled, (int) config.number("pad_token_id", 1)),
              "LayerNorm.gamma=LayerNorm.weight",
              "LayerNorm.beta=LayerNorm.bias")
          .dropouts("hidden_dropout_prob", "attention_probs_dropout_prob")
          .classifiedBy(
              (config, hidden, labels) ->
                  new DenseClassificationHead(hidden, labels, Loader.classifierDropout(config)));

  private Roberta() {}
}
