package org.peft4j.export;

import ai.djl.ndarray.types.DataType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.peft4j.onnx.GraphValue;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxNode;

/**
 * Queries, keys and values as one product of weights in blocks, which ONNX Runtime's attention
 * splits and turns by their positions itself: of one layer one node in place of five, a tenth of a
 * step's time. Attention whose queries or keys pass through anything else stays as it is.
 */
final class PackedAttention {
  /** Heads that the operator turns have a width of a multiple of it. */
  private static final int WIDTHS = 16;

  private final GraphEdit edit;
  private final Map<String, Integer> uses = new HashMap<>();
  private final Set<String> floats = new HashSet<>();
  private final Map<String, String> tables = new HashMap<>();

  private PackedAttention(OnnxGraph graph) {
    edit = new GraphEdit(graph);
    graph.nodes().forEach(n -> n.inputs().forEach(i -> uses.merge(i, 1, Integer::sum)));
    graph.outputs().forEach(o -> uses.merge(o.name(), 1, Integer::sum));
    graph.values().stream()
        .filter(v -> v.type() == DataType.FLOAT32)
        .map(GraphValue::name)
        .forEach(floats::add);
  }

  /** The graph with every attention packed that can be. */
  static OnnxGraph of(OnnxGraph graph) {
    PackedAttention packed = new PackedAttention(graph);
    graph.nodes().forEach(packed::add);
    return packed.edit.finish();
  }

  private void add(OnnxNode node) {
    Layer layer = node.operator().equals("GroupQueryAttention") ? layer(node) : null;
    if (layer == null) {
      edit.add(node);
    } else {
      pack(layer);
    }
  }

  /** An attention and what it is computed from: the turned queries and keys, and three products. */
  private record Layer(OnnxNode attention, OnnxNode turned, List<OnnxNode> products) {
    OnnxNode product() {
      return products.get(0);
    }

    /** What the three store as that input, one behind the other, or empty where they have none. */
    List<String> stored(int input) {
      return products.stream().map(p -> input(p, input)).filter(n -> !n.isEmpty()).toList();
    }
  }

  private @Nullable Layer layer(OnnxNode attention) {
    OnnxNode q = own(attention, 0, "RotaryEmbedding");
    OnnxNode k = own(attention, 1, "RotaryEmbedding");
    OnnxNode value = own(attention, 2, "MatMulNBits");
    OnnxNode query = q == null ? null : own(q, 0, "MatMulNBits");
    OnnxNode key = k == null ? null : own(k, 0, "MatMulNBits");
    if (query == null || key == null || value == null) {
      return null;
    }
    Layer layer = new Layer(attention, Objects.requireNonNull(q), List.of(query, key, value));
    return sameTurn(layer.turned, Objects.requireNonNull(k))
            && floats.contains(query.outputs().get(0))
            && layer.products.stream().allMatch(p -> alike(p, query))
            && number(query, "N") / number(q, "num_heads") % WIDTHS == 0
        ? layer
        : null;
  }

  /** The node that computes an input, of that operator and for nobody else. */
  private @Nullable OnnxNode own(OnnxNode node, int input, String operator) {
    String name = input(node, input);
    OnnxNode made = edit.producer(name);
    return made != null && made.operator().equals(operator) && Objects.equals(uses.get(name), 1)
        ? made
        : null;
  }

  private static boolean sameTurn(OnnxNode q, OnnxNode k) {
    return q.inputs().subList(1, 4).equals(k.inputs().subList(1, 4))
        && q.attributes().keySet().equals(Set.of("num_heads"))
        && k.attributes().keySet().equals(Set.of("num_heads"));
  }

  /** Whether two products are of the same x, and stored alike. */
  private boolean alike(OnnxNode a, OnnxNode b) {
    SortedMap<String, Object> mine = new TreeMap<>(a.attributes());
    mine.put("N", number(b, "N"));
    if (!mine.equals(b.attributes()) || !input(a, 0).equals(input(b, 0))) {
      return false;
    }
    for (int i = 1; i < 6; i++) {
      boolean none = input(a, i).isEmpty();
      if (none != input(b, i).isEmpty() || (!none && edit.constant(input(a, i)) == null)) {
        return false;
      }
    }
    return true;
  }

  private void pack(Layer layer) {
    OnnxNode q = layer.product();
    List<String> inputs = new ArrayList<>(List.of(input(q, 0)));
    for (int i = 1; i < 6; i++) {
      inputs.add(joined(layer.stored(i)));
    }
    long rows = layer.products.stream().mapToLong(p -> number(p, "N")).sum();
    String packed = edit.unique(q.outputs().get(0) + "_packed");
    edit.add(node(q, packed, inputs, List.of(packed), "N", rows));
    OnnxNode attention = layer.attention;
    List<String> in = new ArrayList<>(attention.inputs());
    in.set(0, packed);
    in.set(1, "");
    in.set(2, "");
    in.set(7, table(input(layer.turned, 2), attention));
    in.set(8, table(input(layer.turned, 3), attention));
    in.set(9, input(layer.turned, 1));
    edit.add(node(attention, attention.name(), in, attention.outputs(), "do_rotary", 1L));
  }

  private String joined(List<String> names) {
    if (names.isEmpty()) {
      return "";
    }
    List<Initializer> parts =
        names.stream().map(n -> Objects.requireNonNull(edit.constant(n))).toList();
    return edit.store(Initializer.joined(edit.unique(names.get(0) + "_packed"), parts));
  }

  /**
   * A table of cosines or sines with as many rows more as there are tokens: the operator refuses
   * one that has fewer, though it reads those of the new tokens alone.
   */
  private String table(String rows, OnnxNode attention) {
    return tables.computeIfAbsent(
        rows,
        r -> {
          String total = made("Cast", rows, attention, List.of(input(attention, 6)), "to", 7L);
          String one = edit.store(Constants.integers(edit.unique(rows + "_axis"), 1));
          String end = edit.store(Constants.integers(edit.unique(rows + "_end"), 2));
          String width = made("Shape", rows, attention, List.of(rows), "", 0L);
          String half = made("Slice", rows, attention, List.of(width, one, end), "", 0L);
          String size = made("Concat", rows, attention, List.of(total, half), "axis", 0L);
          String zeros = made("ConstantOfShape", rows, attention, List.of(size), "", 0L);
          return made("Concat", rows, attention, List.of(rows, zeros), "axis", 0L);
        });
  }

  private String made(
      String operator,
      String rows,
      OnnxNode near,
      List<String> inputs,
      String attribute,
      Long value) {
    String name = edit.unique(rows + "_" + operator.toLowerCase(Locale.ROOT));
    TreeMap<String, Object> attributes = new TreeMap<>();
    if (!attribute.isEmpty()) {
      attributes.put(attribute, value);
    }
    edit.add(new OnnxNode(name, "", operator, inputs, List.of(name), attributes, near.site()));
    return name;
  }

  private static OnnxNode node(
      OnnxNode like,
      String name,
      List<String> inputs,
      List<String> outputs,
      String attribute,
      Long value) {
    SortedMap<String, Object> attributes = new TreeMap<>(like.attributes());
    attributes.put(attribute, value);
    return new OnnxNode(
        name, like.domain(), like.operator(), inputs, outputs, attributes, like.site());
  }

  private static String input(OnnxNode node, int i) {
    return i < node.inputs().size() ? node.inputs().get(i) : "";
  }

  private static long number(OnnxNode node, String attribute) {
    return ((Number) Objects.requireNonNull(node.attributes().get(attribute))).longValue();
  }
}
