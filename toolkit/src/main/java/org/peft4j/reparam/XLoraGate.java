package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.types.Shape;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Init;
import org.peft4j.tensor.Scalars;

/**
 * What tells X-LoRA how much each LoRA counts for a token: linear layers with ReLU between, on the
 * last hidden states of a first pass.
 *
 * @param softmax whether the weights of a token sum to 1
 * @param topSoftmax whether those that are left do, by a softmax of their own
 * @param layerwise whether every module has weights of its own
 * @param depth number of layers of the classifier
 * @param size width between them
 * @param dropout probability between them
 * @param temperature what scores are divided by before {@code softmax}
 * @param topK how many count for a token; null for all
 * @param firstPass what every LoRA counts in the first pass
 * @param scale what all weights are multiplied by
 */
public record XLoraGate(
    @Key("enable_softmax") boolean softmax,
    @Key("enable_softmax_topk") boolean topSoftmax,
    @Key("layerwise_scalings") boolean layerwise,
    @Key("xlora_depth") int depth,
    @Key("xlora_size") int size,
    @Key("xlora_dropout_p") double dropout,
    @Key("softmax_temperature") double temperature,
    @Key("top_k_lora") @Nullable Integer topK,
    @Key("scaling_pass_value") double firstPass,
    @Key("global_scaling_weight") double scale) {
  private static final String LAYERS = "internal_xlora_classifier.layers.";

  /** Hugging Face's defaults: one layer, softmax over all. */
  public XLoraGate() {
    this(true, false, false, 1, 2048, 0.2, 1, null, 0, 1);
  }

  public XLoraGate {
    Checks.atLeast("xlora_depth", 1, depth);
    Checks.atLeast("xlora_size", 1, size);
    Checks.probability("xlora_dropout_p", dropout);
    Checks.finite("scaling_pass_value", firstPass);
    Checks.finite("global_scaling_weight", scale);
    Checks.positive("softmax_temperature", temperature);
    if (topK != null) {
      Checks.atLeast("top_k_lora", 1, topK);
      if (firstPass != 0) {
        throw new IllegalArgumentException(
            "scaling_pass_value\nexpected: 0 beside top_k_lora, which has nothing to choose by there"
                + "\nfound: "
                + firstPass);
      }
    }
  }

  /** Where a layer stands among the parts of the classifier, as Hugging Face counts them. */
  private String layer(int i, String tensor) {
    return LAYERS + i * (dropout > 0 ? 3 : 2) + "." + tensor;
  }

  /**
   * Its tensors.
   *
   * @param hidden width of the hidden states
   * @param experts number of LoRAs
   * @param modules number of modules that they adapt
   */
  void declare(int hidden, int experts, int modules, Declaration theta) {
    if (topK != null && topK > experts) {
      throw new IllegalArgumentException(
          "top_k_lora\nexpected: at most the number of LoRAs, " + experts + "\nfound: " + topK);
    }
    for (int i = 0; i < depth; i++) {
      long in = i == 0 ? hidden : size;
      long out = i < depth - 1 ? size : (long) experts * (layerwise ? modules : 1);
      theta.trained(layer(i, "weight"), new Shape(out, in), Init.KAIMING);
      theta.trained(layer(i, "bias"), new Shape(out), Init.uniform(1 / Math.sqrt(in)));
    }
  }

  /** The weights {@code [batch, tokens, modules or 1, experts]}. */
  NDArray weights(Hook.View view, NDArray hidden, int experts) {
    NDArray x = hidden;
    for (int i = 0; i < depth; i++) {
      NDArray w = view.get(layer(i, "weight"));
      x = x.getNDArrayInternal().linear(x, w, view.get(layer(i, "bias"))).singletonOrThrow();
      if (i < depth - 1) {
        x = view.dropout(LAYERS + i, dropout, x.getNDArrayInternal().relu());
      }
    }
    Shape s = x.getShape();
    NDArray scores = x.reshape(s.get(0), s.get(1), -1, experts);
    NDArray all = softmax ? Scalars.div(scores, temperature).softmax(-1) : scores;
    NDArray some = chosen(all);
    return scale == 1 ? some : Scalars.mul(some, scale);
  }

  private NDArray chosen(NDArray all) {
    NDArray some = all;
    if (topK != null) {
      NDArray least = all.topK(topK, -1, true, true).get(0).min(new int[] {-1}, true);
      some = NDArrays.where(all.gte(least), all, all.zerosLike());
    }
    if (!topSoftmax) {
      return some;
    }
    NDArray counts = some.neq(0);
    NDArray none = Scalars.mul(some.onesLike(), Double.NEGATIVE_INFINITY);
    return NDArrays.where(counts, NDArrays.where(counts, some, none).softmax(-1), some);
  }

  /** What every LoRA counts in the first pass. */
  double first(int experts) {
    return scale * (topSoftmax && firstPass != 0 ? 1.0 / experts : firstPass);
  }
}
