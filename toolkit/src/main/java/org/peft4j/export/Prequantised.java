package org.peft4j.export;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxNode;

/**
 * Weights that are group-wise integers already go into {@code com.microsoft.MatMulNBits} bit for
 * bit, in the place of the float32 matrices of the same names that the graph was traced with. They
 * are not quantised again, so nothing is lost. Run it before {@link WeightOnly}.
 *
 * @param weights by the names of the graph's stored tensors
 * @param accuracyLevel as in {@link WeightOnly#accuracyLevel()}
 */
public record Prequantised(Map<String, Groupwise> weights, int accuracyLevel) implements GraphPass {
  public Prequantised {
    weights = Map.copyOf(weights);
    PackedProduct.requireAccuracy(accuracyLevel);
  }

  /** With accuracy level 4. */
  public static Prequantised of(Map<String, Groupwise> weights) {
    return new Prequantised(weights, 4);
  }

  /**
   * @throws IllegalArgumentException where a name is no matrix of the graph that only products use,
   *     or has another shape; all of them at once
   */
  /** The weights are the model's own; only what flows in may be rounded. */
  @Override
  public double tolerance() {
    return accuracyLevel == 4 ? 0.05 : 1e-3;
  }

  @Override
  public OnnxGraph apply(OnnxGraph graph) {
    check(graph);
    GraphEdit edit = new GraphEdit(graph);
    Set<String> done = new HashSet<>();
    for (OnnxNode node : graph.nodes()) {
      WeightProduct product = WeightProduct.of(node, edit);
      Groupwise weight = product == null ? null : weights.get(product.weight().name());
      if (product == null || weight == null) {
        edit.add(node);
        continue;
      }
      String name = product.weight().name();
      String codes = name + "_Q" + weight.bits();
      String scales = name + "_scales";
      String zeros = weight.zeroPoints() == null ? "" : name + "_zero_points";
      if (done.add(name)) {
        edit.store(Initializer.of(codes, weight.codes()));
        edit.store(Initializer.of(scales, weight.scales()));
        if (weight.zeroPoints() != null) {
          edit.store(Initializer.of(zeros, Objects.requireNonNull(weight.zeroPoints())));
        }
      }
      edit.add(
          new PackedProduct(weight.bits(), weight.blockSize(), accuracyLevel, codes, scales, zeros)
              .of(product));
    }
    return edit.finish().metadata("prequantized", weights.size() + " weights");
  }

  private void check(OnnxGraph graph) {
    GraphEdit edit = new GraphEdit(graph);
    Set<String> found = new HashSet<>();
    List<String> problems = new ArrayList<>();
    for (OnnxNode node : graph.nodes()) {
      WeightProduct product = WeightProduct.of(node, edit);
      if (product != null) {
        found.add(product.weight().name());
        Groupwise weight = weights.get(product.weight().name());
        if (weight != null && !weight.shape().equals(product.rows().shape())) {
          problems.add(
              "\""
                  + product.weight().name()
                  + "\" is "
                  + weight.shape()
                  + ", the graph has "
                  + product.rows().shape());
        }
      }
    }
    weights.keySet().stream()
        .filter(n -> !found.contains(n))
        .sorted()
        .forEach(n -> problems.add("\"" + n + "\" is not among the matrices of products"));
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          "group-wise weights\nexpected: names and shapes out of "
              + found.stream().sorted().limit(12).toList()
              + (found.size() > 12 ? " and " + (found.size() - 12) + " more" : "")
              + "\nfound: "
              + String.join("\nfound: ", problems));
    }
  }

  /** Nothing is lost. */
  @Override
  public QuantisationLoss loss(OnnxGraph graph) {
    return new QuantisationLoss(List.of());
  }
}
