package org.peft4j.export;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.onnx.GraphValue;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxNode;

/** A graph while nodes are put in the place of others. What nobody uses any more is dropped. */
final class GraphEdit {
  private final OnnxGraph graph;
  private final List<OnnxNode> nodes = new ArrayList<>();
  private final Map<String, Initializer> stored = new LinkedHashMap<>();
  private final Map<String, OnnxNode> producers = new HashMap<>();
  private final Set<String> inputs = new HashSet<>();
  private final Set<String> taken = new HashSet<>();

  GraphEdit(OnnxGraph graph) {
    this.graph = graph;
    graph.initializers().forEach(i -> stored.put(i.name(), i));
    graph.nodes().forEach(n -> n.outputs().forEach(o -> producers.put(o, n)));
    graph.inputs().stream().map(GraphValue::name).forEach(inputs::add);
    taken.addAll(stored.keySet());
    taken.addAll(producers.keySet());
    taken.addAll(inputs);
  }

  /** A stored tensor that no input can replace, or null where {@code name} is something else. */
  @Nullable Initializer constant(String name) {
    return inputs.contains(name) ? null : stored.get(name);
  }

  /** The node that computes {@code name}, or null. */
  @Nullable OnnxNode producer(String name) {
    return producers.get(name);
  }

  /** A name that no value has yet, taken from now on. */
  String unique(String wish) {
    String name = wish;
    for (int i = 2; !taken.add(name); i++) {
      name = wish + "_" + i;
    }
    return name;
  }

  /** Appends a node; nodes are appended in the order in which they are to run. */
  void add(OnnxNode node) {
    nodes.add(node);
  }

  /** Stores a tensor under its name, instead of another of that name. */
  String store(Initializer tensor) {
    stored.put(tensor.name(), tensor);
    return tensor.name();
  }

  OnnxGraph finish() {
    Set<String> used = new HashSet<>();
    graph.outputs().forEach(o -> used.add(o.name()));
    List<OnnxNode> kept = new ArrayList<>();
    for (int i = nodes.size() - 1; i >= 0; i--) {
      OnnxNode n = nodes.get(i);
      if (n.outputs().stream().anyMatch(used::contains)) {
        kept.add(n);
        used.addAll(n.inputs());
      }
    }
    Collections.reverse(kept);
    List<Initializer> needed =
        stored.values().stream()
            .filter(i -> used.contains(i.name()) || inputs.contains(i.name()))
            .toList();
    return graph.with(kept, needed, graph.inputs());
  }
}
