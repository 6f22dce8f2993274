package org.peft4j.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Additive;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;

/**
 * One adapter at one site.
 *
 * @param reparam the method there, or null where only the bias is trained
 * @param tensors the method's tensors at this site, by name
 * @param bias the trained bias that stands in for b0, or null
 * @param base what the method works on: the site's own weight, or what the method's {@code shift}
 *     made of it, with the trained bias
 */
record Attachment(
    Site site,
    @Nullable Reparam reparam,
    Map<String, Tensor> tensors,
    @Nullable Tensor bias,
    Frozen base) {

  /** What one of its tensors is called in parameter lists, graphs, and at the end of file keys. */
  String name(String tensor) {
    return site.path() + "." + tensor;
  }

  /** Whether another adapter may act at the same site at the same time. */
  boolean sums() {
    return reparam instanceof Additive && bias == null && base == site.frozen();
  }

  /** The parameters of {@link #base} that are this attachment's own. */
  List<Parameter> ownBase() {
    Frozen weights = base instanceof Rebiased r ? r.weights() : base;
    return weights == site.frozen()
        ? List.of()
        : weights.parameters().stream().filter(p -> p != weights.biasParameter()).toList();
  }

  /** A frozen weight with another bias. */
  record Rebiased(Frozen weights, Parameter replacement) implements Frozen {
    @Override
    public ai.djl.ndarray.types.Shape shape() {
      return weights.shape();
    }

    @Override
    public long biasSize() {
      return weights.biasSize();
    }

    @Override
    public Operation operation() {
      return weights.operation();
    }

    @Override
    public NDArray weight(Pass pass) {
      return weights.weight(pass);
    }

    @Override
    public NDArray bias(Pass pass) {
      return pass.value(replacement);
    }

    @Override
    public NDArray apply(Pass pass, NDArray x, @Nullable NDArray bias) {
      return weights.apply(pass, x, bias);
    }

    @Override
    public List<Parameter> parameters() {
      return weights.parameters();
    }

    @Override
    public @Nullable Parameter biasParameter() {
      return weights.biasParameter();
    }
  }
}
