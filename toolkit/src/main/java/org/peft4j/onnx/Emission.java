package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A graph while it is put together: equal nodes and equal constants are made once, names are given
 * at the end, in order, so that the same block always gives the same file.
 */
final class Emission {
  /** Larger constants are told apart by identity, not by content. */
  private static final long COMPARED = 1 << 20;

  /** A value of the graph to be. */
  static final class Ref {
    private final int id;
    private final @Nullable Initializer initializer;
    private String name;
    private @Nullable GraphValue known;

    private Ref(int id, String name, @Nullable Initializer initializer) {
      this.id = id;
      this.name = name;
      this.initializer = initializer;
    }
  }

  private record Item(
      String domain,
      String operator,
      Map<String, Object> attributes,
      List<@Nullable Ref> inputs,
      List<@Nullable Ref> outputs,
      String site) {}

  private final List<Item> items = new ArrayList<>();
  private final List<Ref> constants = new ArrayList<>();
  private final Map<String, List<@Nullable Ref>> known = new HashMap<>();
  private final Map<String, Ref> knownConstants = new HashMap<>();
  private final Set<String> taken = new HashSet<>();
  private int refs;

  /** Keeps a name for an input or output. */
  void reserve(String name) {
    if (!taken.add(name)) {
      throw new ExportException(
          "two inputs or outputs are called \"" + name + "\"\nfix: rename one");
    }
  }

  Ref input(String name) {
    return new Ref(refs++, name, null);
  }

  Ref node(String operator, Map<String, ?> attributes, List<Ref> inputs) {
    return java.util.Objects.requireNonNull(
        nodes("", operator, attributes, inputs, List.of(true), "").get(0));
  }

  /**
   * @param wanted which outputs there are
   */
  List<@Nullable Ref> nodes(
      String domain,
      String operator,
      Map<String, ?> attributes,
      List<? extends @Nullable Ref> inputs,
      List<Boolean> wanted,
      String site) {
    String key = domain + "." + operator + key(attributes) + ids(inputs) + wanted;
    List<@Nullable Ref> same = known.get(key);
    if (same != null) {
      return same;
    }
    List<@Nullable Ref> outputs = new ArrayList<>();
    wanted.forEach(w -> outputs.add(w ? new Ref(refs++, "", null) : null));
    items.add(
        new Item(
            domain, operator, new TreeMap<>(attributes), new ArrayList<>(inputs), outputs, site));
    known.put(key, outputs);
    return outputs;
  }

  /** Tells the type and the shape of a node's output, where the file's readers may not find it. */
  void describe(Ref output, DataType type, List<String> dims) {
    output.known = new GraphValue("", type, dims);
  }

  private static String ids(List<? extends @Nullable Ref> refs) {
    StringBuilder ids = new StringBuilder();
    for (Ref r : refs) {
      ids.append(' ').append(r == null ? "-" : Integer.toString(r.id));
    }
    return ids.toString();
  }

  private static String key(Map<String, ?> attributes) {
    return new TreeMap<>(attributes)
        .entrySet().stream()
            .map(
                e ->
                    e.getKey()
                        + "="
                        + e.getValue().getClass().getSimpleName()
                        + Alignment.text(e.getValue()))
            .collect(Collectors.joining(","));
  }

  /** A constant of the block's or made from its parameters. */
  Ref constant(String name, NDArray array) {
    Initializer made = Initializer.of(name, array);
    if (made.size() > COMPARED || !name.isEmpty()) {
      return add(made, "");
    }
    byte[] bytes = new byte[(int) made.size()];
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    made.payload().forEachChunk(buffer::put);
    return constant(name, made.type(), made.shape(), bytes);
  }

  private Ref constant(String name, DataType type, Shape shape, byte[] bytes) {
    String content = bytes.length <= 64 ? Arrays.toString(bytes) : digest(bytes);
    String key = type + " " + shape + content;
    Ref same = knownConstants.get(key);
    return same != null ? same : add(Initializer.of(name, type, shape, bytes), key);
  }

  private static String digest(byte[] bytes) {
    try {
      return java.util.HexFormat.of()
          .formatHex(java.security.MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (java.security.NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private Ref add(Initializer initializer, String key) {
    Ref ref = new Ref(refs++, "", initializer);
    constants.add(ref);
    if (!key.isEmpty()) {
      knownConstants.put(key, ref);
    }
    return ref;
  }

  Ref integers(boolean scalar, long... values) {
    ByteBuffer bytes = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asLongBuffer().put(values);
    return constant(
        "", DataType.INT64, scalar ? new Shape() : new Shape(values.length), bytes.array());
  }

  Ref number(Number value, DataType type) {
    ByteBuffer bytes = ByteBuffer.allocate(type.getNumOfBytes()).order(ByteOrder.LITTLE_ENDIAN);
    switch (type) {
      case FLOAT64 -> bytes.putDouble(value.doubleValue());
      case FLOAT32 -> bytes.putFloat(value.floatValue());
      case FLOAT16 -> bytes.putShort(ai.djl.util.Float16Utils.floatToHalf(value.floatValue()));
      case INT64, UINT64 -> bytes.putLong(value.longValue());
      case INT32, UINT32 -> bytes.putInt(value.intValue());
      case INT16, UINT16 -> bytes.putShort(value.shortValue());
      case INT8, UINT8 -> bytes.put(value.byteValue());
      case BOOLEAN -> bytes.put((byte) (value.doubleValue() != 0 ? 1 : 0));
      default -> throw new ExportException("a number of type " + type + " cannot be stored");
    }
    return constant("", type, new Shape(), bytes.array());
  }

  // ---- the end

  /** The finished graph's parts. */
  record Parts(
      List<OnnxNode> nodes, List<Initializer> initializers, List<GraphValue> values, int opset) {}

  Parts finish(List<String> outputNames, List<Ref> outputs) {
    int opset = Opsets.of(items.stream().map(Emission::sketch).toList());
    legalise(opset);
    for (int i = 0; i < outputs.size(); i++) {
      Ref ref = outputs.get(i);
      if (!ref.name.isEmpty()
          || ref.initializer != null) { // an input, a constant, or an output already
        Ref copy = new Ref(refs++, "", null);
        items.add(new Item("", "Identity", Map.of(), List.of(ref), List.of(copy), ""));
        ref = copy;
      }
      ref.name = outputNames.get(i);
    }
    prune(new HashSet<>(outputNames));
    List<Initializer> initializers = nameConstants();
    List<OnnxNode> nodes = nameNodes();
    return new Parts(nodes, initializers, values(new HashSet<>(outputNames)), opset);
  }

  /** What was told of the values between inputs and outputs. */
  private List<GraphValue> values(Set<String> outputNames) {
    List<GraphValue> values = new ArrayList<>();
    for (Item item : items) {
      for (Ref output : item.outputs) {
        GraphValue known = output == null ? null : output.known;
        if (known != null && !outputNames.contains(output.name)) {
          values.add(new GraphValue(output.name, known.type(), known.dims()));
        }
      }
    }
    return values;
  }

  private static OnnxNode sketch(Item i) {
    return new OnnxNode("", i.domain, i.operator, List.of(), List.of(), new TreeMap<>(), "");
  }

  private void legalise(int opset) {
    for (int i = 0; i < items.size(); i++) {
      Item item = items.get(i);
      Object axes = item.attributes.get(Reductions.AXES);
      if (axes instanceof long[] list
          && item.domain.isEmpty()
          && Opsets.axesAreOperand(item.operator, opset)) {
        Map<String, Object> attributes = new TreeMap<>(item.attributes);
        attributes.remove(Reductions.AXES);
        List<@Nullable Ref> inputs = new ArrayList<>(item.inputs);
        inputs.add(integers(false, list));
        items.set(
            i, new Item(item.domain, item.operator, attributes, inputs, item.outputs, item.site));
      }
    }
  }

  /** Drops what no output needs. */
  private void prune(Set<String> outputNames) {
    Set<Ref> used = new HashSet<>();
    List<Item> kept = new ArrayList<>();
    for (int i = items.size() - 1; i >= 0; i--) {
      Item item = items.get(i);
      if (item.outputs.stream()
          .anyMatch(r -> r != null && (used.contains(r) || outputNames.contains(r.name)))) {
        kept.add(item);
        item.inputs.stream().filter(r -> r != null).forEach(used::add);
      }
    }
    Collections.reverse(kept);
    items.clear();
    items.addAll(kept);
    constants.removeIf(r -> !used.contains(r));
  }

  private List<Initializer> nameConstants() {
    List<Initializer> named = new ArrayList<>();
    int unnamed = 0;
    for (Ref ref : constants) {
      Initializer initializer = java.util.Objects.requireNonNull(ref.initializer);
      String wish = initializer.name();
      if (wish.isEmpty()) {
        do {
          ref.name = "constant_" + unnamed++;
        } while (!taken.add(ref.name));
      } else {
        ref.name = unique(wish);
      }
      named.add(initializer.named(ref.name));
    }
    return named;
  }

  private List<OnnxNode> nameNodes() {
    List<OnnxNode> named = new ArrayList<>();
    Map<String, Integer> counters = new HashMap<>();
    for (Item item : items) {
      for (Ref output : item.outputs) {
        if (output != null && output.name.isEmpty()) {
          String stem = item.operator.toLowerCase(Locale.ROOT);
          do {
            output.name = stem + "_" + counters.merge(stem, 1, Integer::sum);
          } while (!taken.add(output.name));
        }
      }
      List<String> outputs = item.outputs.stream().map(r -> r == null ? "" : r.name).toList();
      String name = outputs.stream().filter(o -> !o.isEmpty()).findFirst().orElse("");
      List<String> inputs = item.inputs.stream().map(r -> r == null ? "" : r.name).toList();
      named.add(
          new OnnxNode(
              name,
              item.domain,
              item.operator,
              inputs,
              outputs,
              new TreeMap<>(item.attributes),
              item.site));
    }
    return named;
  }

  private String unique(String wish) {
    String name = wish;
    for (int i = 2; !taken.add(name); i++) {
      name = wish + "_" + i;
    }
    return name;
  }
}
