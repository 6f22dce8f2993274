package org.peft4j.format;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.peft4j.format.OnnxGraph.Node;

/**
 * PyTorch's names for the weights of an exported graph. A node is named after the module that made
 * it, {@code /encoder/layer.0/output/dense/MatMul}, from which an anonymous weight takes its name.
 * Weights that the exporter found to be equal are kept once; Identity nodes carry the other names.
 */
final class OnnxNames {
  private OnnxNames() {}

  /** One thing that a graph tells about a weight. */
  private record Use(String name, boolean transposed) {}

  static Map<String, OnnxWeight> assign(OnnxGraph graph) {
    Map<String, OnnxWeight> byName = new HashMap<>();
    graph.weights().forEach(w -> byName.put(w.name(), w));
    Map<String, List<Use>> uses = uses(graph, byName);
    Map<String, OnnxWeight> out = new LinkedHashMap<>();
    for (OnnxWeight weight :
        graph.weights()) { // true names come first, so that none is lost to a guess
      if (!anonymous(weight.name()) && !isBuffer(weight.name())) {
        out.put(weight.name(), weight);
      }
    }
    Map<String, OnnxWeight> guessed = new LinkedHashMap<>();
    for (OnnxWeight weight : graph.weights()) {
      boolean named = false;
      for (Use use : uses.getOrDefault(weight.name(), List.of())) {
        if (!out.containsKey(use.name)) {
          guessed.putIfAbsent(use.name, use.transposed ? weight.asTransposed() : weight);
          named = true;
        }
      }
      if (!named && anonymous(weight.name())) {
        guessed.putIfAbsent(weight.name(), weight);
      }
    }
    out.putAll(guessed);
    return out;
  }

  private static Map<String, List<Use>> uses(OnnxGraph graph, Map<String, OnnxWeight> weights) {
    Map<String, String> aliases = new HashMap<>();
    Map<String, List<Use>> uses = new HashMap<>();
    for (Node node : graph.nodes()) {
      List<String> inputs =
          node.inputs().stream().map(name -> aliases.getOrDefault(name, name)).toList();
      if (node.operator().equals("Identity")
          && inputs.size() == 1
          && node.outputs().size() == 1
          && weights.containsKey(inputs.get(0))) {
        String alias = node.outputs().get(0);
        aliases.put(alias, inputs.get(0));
        if (!anonymous(alias) && alias.contains(".") && !isBuffer(alias)) {
          add(uses, inputs.get(0), new Use(alias, false));
        }
      }
      String module = module(node);
      boolean gemm = node.operator().equals("Gemm");
      if (module.isEmpty() || !(gemm || node.operator().equals("MatMul")) || inputs.size() < 2) {
        continue;
      }
      OnnxWeight right = weights.get(inputs.get(1));
      if (right != null && right.shape().size() == 2 && anonymous(node.inputs().get(1))) {
        add(uses, right.name(), new Use(module + ".weight", !(gemm && node.rightTransposed())));
      }
      if (gemm && inputs.size() == 3 && anonymous(node.inputs().get(2))) {
        add(uses, inputs.get(2), new Use(module + ".bias", false));
      }
    }
    return uses;
  }

  private static void add(Map<String, List<Use>> uses, String weight, Use use) {
    uses.computeIfAbsent(weight, w -> new ArrayList<>()).add(use);
  }

  /** The module of a node named {@code /path/of/module/Operator}; empty when there is none. */
  private static String module(Node node) {
    String name = node.name();
    int end = name.lastIndexOf('/');
    return end <= 0 || name.charAt(0) != '/' ? "" : name.substring(1, end).replace('/', '.');
  }

  /** Whether an exporter made the name up: {@code onnx::MatMul_787}, {@code /a/Constant_1}, 42. */
  private static boolean anonymous(String name) {
    return name.startsWith("onnx::") || name.contains("/") || name.matches("\\d*");
  }

  private static boolean isBuffer(String name) {
    return name.endsWith("position_ids");
  }
}
