package org.peft4j.reparam;

import java.util.List;
import org.peft4j.spi.Fluent;

/** The options, for {@code Peft.xlora(model, "a", "b")}. */
public final class XLoraOptions<R> extends Fluent<XLora, XLoraOptions<R>, R> {
  private XLoraOptions(Draft<XLora, R> draft) {
    super(draft, XLoraOptions::new);
  }

  /** An X-LoRA of these LoRAs, or of new ones. */
  public static <R> XLoraOptions<R> on(Target<R> target, List<XLora.Expert> experts) {
    XLora start = new XLora();
    XLora known = new XLora(experts, start.gate(), false, List.of());
    return new XLoraOptions<>(draft(known, target));
  }

  private XLoraOptions<R> set(String key, Object value) {
    XLora x = tuner();
    return with(
        new XLora(x.experts(), Keys.with(x.gate(), key, value), x.trainable(), x.modules()));
  }

  /** Number of layers of the classifier, at least 1; default 1. */
  public XLoraOptions<R> depth(int layers) {
    return set("xlora_depth", layers);
  }

  /** Width between the layers of the classifier; default 2048. */
  public XLoraOptions<R> size(int width) {
    return set("xlora_size", width);
  }

  /** Dropout between the layers of the classifier, in [0, 1); default 0.2. */
  public XLoraOptions<R> dropout(double p) {
    return set("xlora_dropout_p", p);
  }

  /** Gives every module weights of its own; by default they are the same for all. */
  public XLoraOptions<R> layerwise() {
    return set("layerwise_scalings", true);
  }

  /** What scores are divided by before the softmax, above 0; default 1. */
  public XLoraOptions<R> temperature(double t) {
    return set("softmax_temperature", t);
  }

  /** How many LoRAs count for a token, the others nothing; by default all do. */
  public XLoraOptions<R> topK(int k) {
    return set("top_k_lora", k);
  }

  /** Takes the softmax over the LoRAs that count alone, rather than over all. */
  public XLoraOptions<R> topSoftmax() {
    return set("enable_softmax_topk", true).set("enable_softmax", false);
  }

  /** Takes scores as they are, without a softmax. */
  public XLoraOptions<R> scores() {
    return set("enable_softmax", false);
  }

  /** What every LoRA counts in the first pass; default 0, so that it is the base's. */
  public XLoraOptions<R> firstPass(double weight) {
    return set("scaling_pass_value", weight);
  }

  /** What all weights are multiplied by; default 1. */
  public XLoraOptions<R> scale(double factor) {
    return set("global_scaling_weight", factor);
  }

  /** Trains the LoRAs too; by default only the classifier is trained. */
  public XLoraOptions<R> trainLoras() {
    XLora x = tuner();
    return with(new XLora(x.experts(), x.gate(), true, x.modules()));
  }
}
