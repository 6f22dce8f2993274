package org.peft4j.export;

import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.peft4j.adapter.PlainLora;
import org.peft4j.onnx.AdapterSlot;
import org.peft4j.onnx.AdapterSlots;
import org.peft4j.onnx.GraphValue;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxNode;

/**
 * Turns stored tensors of a graph into optional inputs: an input with a stored tensor of the same
 * name is that tensor unless a run gives another. For LoRA the stored ones get rank 0, so that
 * their product is a zero that costs next to nothing (as Olive's ExtractAdapters does).
 */
final class OptionalInputs {
  private static final String PRODUCT = "MatMul";

  private final OnnxGraph graph;
  private final Map<String, Initializer> stored = new LinkedHashMap<>();
  private final Map<String, List<OnnxNode>> users = new HashMap<>();

  /** What has the rank among its dimensions, which is open from now on. */
  private final Set<String> ranked = new HashSet<>();

  OptionalInputs(OnnxGraph graph) {
    this.graph = graph;
    graph.initializers().forEach(i -> stored.put(i.name(), i));
    for (OnnxNode n : graph.nodes()) {
      Set<String> once = new HashSet<>(n.inputs());
      once.forEach(in -> users.computeIfAbsent(in, k -> new ArrayList<>()).add(n));
    }
  }

  /**
   * The graph with places for those modules that its outputs depend on.
   *
   * @param base what adapter files repeat
   */
  OnnxGraph of(List<PlainLora.Module> modules, int base) {
    List<AdapterSlot> slots = new ArrayList<>();
    for (PlainLora.Module m : modules) {
      if (m.tensors().stream().anyMatch(stored::containsKey)) { // else no output depends on it
        slots.add(new AdapterSlot(m.path(), m.whole() ? whole(m) : factors(m)));
      }
    }
    if (slots.isEmpty()) {
      return graph;
    }
    List<GraphValue> inputs = new ArrayList<>(graph.inputs());
    slots.forEach(s -> inputs.addAll(s.inputs()));
    return graph
        .withoutValues(ranked::contains)
        .with(graph.nodes(), List.copyOf(stored.values()), inputs)
        .metadata(AdapterSlots.METADATA, new AdapterSlots(base, slots).toJson());
  }

  private List<GraphValue> factors(PlainLora.Module m) {
    Initializer a = tensor(m, 0);
    Initializer b = tensor(m, 1);
    Set<OnnxNode> ends = new HashSet<>();
    for (OnnxNode low : users(a.name())) {
      require(m, isProduct(low, a.name()), low);
      ranked.add(low.outputs().get(0));
      for (OnnxNode high : users(low.outputs().get(0))) {
        require(m, isProduct(high, b.name()), high);
        ends.add(high);
        users(high.outputs().get(0)).forEach(n -> require(m, n.operator().equals("Add"), n));
      }
    }
    users(b.name()).forEach(n -> require(m, ends.contains(n), n));
    String rank = AdapterSlot.rank(m.path());
    long in = a.shape().get(0);
    long out = b.shape().get(1);
    replace(a, new Shape(in, 0));
    replace(b, new Shape(0, out));
    return List.of(
        new GraphValue(a.name(), a.type(), List.of(Long.toString(in), rank)),
        new GraphValue(b.name(), b.type(), List.of(rank, Long.toString(out))));
  }

  private void replace(Initializer old, Shape empty) {
    stored.put(old.name(), Initializer.of(old.name(), old.type(), empty, new byte[0]));
  }

  private List<GraphValue> whole(PlainLora.Module m) {
    List<GraphValue> inputs = new ArrayList<>();
    for (int i = 0; i < m.tensors().size(); i++) {
      Initializer t = tensor(m, i);
      if (t.shape().dimension() == 2) {
        users(t.name()).forEach(n -> require(m, isProduct(n, t.name()), n));
      }
      inputs.add(
          new GraphValue(
              t.name(),
              t.type(),
              Arrays.stream(t.shape().getShape()).mapToObj(Long::toString).toList()));
    }
    return inputs;
  }

  private Initializer tensor(PlainLora.Module m, int index) {
    Initializer t = stored.get(m.tensors().get(index));
    if (t == null) {
      throw unfit(m, "no stored tensor " + m.tensors().get(index));
    }
    return t;
  }

  private List<OnnxNode> users(String value) {
    return users.getOrDefault(value, List.of());
  }

  /** Whether it is {@code x W} with the stored W. */
  private static boolean isProduct(OnnxNode n, String weight) {
    return n.operator().equals(PRODUCT)
        && n.inputs().get(1).equals(weight)
        && !n.inputs().get(0).equals(weight);
  }

  private static void require(PlainLora.Module m, boolean expected, OnnxNode found) {
    if (!expected) {
      throw unfit(m, found + "\nat: " + found.site());
    }
  }

  private static IllegalArgumentException unfit(PlainLora.Module m, String found) {
    return new IllegalArgumentException(
        m.path()
            + ": the graph has no place for an adapter here\nexpected: x A B beside the module's own "
            + "product\nfound: "
            + found
            + "\nfix: leave the module out of targets and modulesToSave, or merge the adapter");
  }
}
