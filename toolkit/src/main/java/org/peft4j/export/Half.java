package org.peft4j.export;

import ai.djl.ndarray.types.DataType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.peft4j.onnx.GraphValue;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxNode;

/**
 * Stores weights and computes products in float16. Inputs and outputs of the graph keep their
 * types; so do normalisations, softmax, reductions, masks, positions, attention as a single
 * operator and whatever ONNX Runtime has in float32 only, between casts. A value that float16
 * cannot hold, such as a mask's, is clamped to the finite range where it is cast. Reads the weights
 * once to see which fit; those that do not stay float32.
 *
 * <p>A product may still leave the range of float16 ({@code 65504}): an {@link Exporter} notices
 * and writes nothing.
 *
 * @param kept nodes that stay float32 beside those
 */
public record Half(Predicate<OnnxNode> kept) implements GraphPass {
  private static final long FLOAT = 1;
  private static final long FLOAT16 = 10;

  public static Half of() {
    return new Half(n -> false);
  }

  /** The same where these nodes stay float32 too, as one whose values grow too large must. */
  public Half keeping(Predicate<OnnxNode> nodes) {
    return new Half(kept.or(nodes));
  }

  @Override
  public OnnxGraph apply(OnnxGraph graph) {
    return new Casting(graph, kept).run().metadata("precision", "float16");
  }

  @Override
  public QuantisationLoss loss(OnnxGraph graph) {
    Casting casting = new Casting(graph, kept);
    return new QuantisationLoss(
        graph.initializers().stream()
            .filter(i -> casting.halfConstants.contains(i.name()))
            .map(i -> new HalfTensor(i).loss())
            .toList());
  }

  @Override
  public double tolerance() {
    return 0.05;
  }

  /** One application. */
  private static final class Casting {
    private final OnnxGraph graph;
    private final Precision precision;
    private final GraphEdit edit;
    private final Map<String, Initializer> constants = new LinkedHashMap<>();
    private final Set<String> halfConstants = new LinkedHashSet<>();
    private final Set<String> fullConstants = new HashSet<>();
    private final Set<String> results = new HashSet<>();
    private final Map<String, String> halves = new HashMap<>();
    private final Map<String, String> fulls = new HashMap<>();

    Casting(OnnxGraph graph, Predicate<OnnxNode> kept) {
      this.graph = graph;
      precision = new Precision(graph, kept);
      edit = new GraphEdit(graph.withoutValues(name -> true));
      graph.outputs().stream().map(GraphValue::name).forEach(results::add);
      graph.inputs().forEach(i -> fulls.put(i.name(), i.name()));
      graph.initializers().stream()
          .filter(i -> i.type() == DataType.FLOAT32 && edit.constant(i.name()) != null)
          .forEach(i -> constants.put(i.name(), i));
      for (OnnxNode n : graph.nodes()) {
        Set<String> used = precision.isHalf(n) ? halfConstants : fullConstants;
        n.inputs().stream().filter(constants::containsKey).forEach(used::add);
      }
    }

    OnnxGraph run() {
      for (String name : halfConstants) {
        String stored = fullConstants.contains(name) ? edit.unique(name + "_float16") : name;
        halves.put(
            name,
            edit.store(new HalfTensor(Objects.requireNonNull(constants.get(name))).stored(stored)));
      }
      graph.nodes().forEach(this::node);
      return edit.finish();
    }

    private void node(OnnxNode n) {
      boolean half = precision.isHalf(n);
      List<String> inputs =
          n.inputs().stream()
              .map(v -> !precision.isFloat(v) ? v : half ? half(v, n.site()) : full(v, n.site()))
              .toList();
      List<String> outputs = new ArrayList<>();
      for (String o : n.outputs()) {
        boolean cast = half && precision.isFloat(o) && results.contains(o);
        outputs.add(cast ? edit.unique(o + "_float16") : o);
        if (half && precision.isFloat(o)) {
          halves.put(o, outputs.get(outputs.size() - 1));
        } else {
          fulls.put(o, o);
        }
      }
      edit.add(
          new OnnxNode(
              n.name(), n.domain(), n.operator(), inputs, outputs, n.attributes(), n.site()));
      for (String o : n.outputs()) {
        if (results.contains(o) && !fulls.containsKey(o)) {
          fulls.put(o, cast(Objects.requireNonNull(halves.get(o)), o, FLOAT, n.site()));
        }
      }
    }

    private String half(String v, String site) {
      String known = halves.get(v);
      if (known == null) {
        String from = precision.overflows(v) ? clamped(v, site) : v;
        known = cast(from, edit.unique(v + "_float16"), FLOAT16, site);
        halves.put(v, known);
      }
      return known;
    }

    private String full(String v, String site) {
      if (constants.containsKey(v)) {
        return v;
      }
      String known = fulls.get(v);
      if (known == null) {
        String half = Objects.requireNonNull(halves.get(v));
        known = cast(half, edit.unique(v + "_float32"), FLOAT, site);
        fulls.put(v, known);
      }
      return known;
    }

    private String cast(String from, String to, long type, String site) {
      TreeMap<String, Object> attributes = new TreeMap<>(Map.of("to", type));
      String name = edit.unique(to + "_cast");
      edit.add(new OnnxNode(name, "", "Cast", List.of(from), List.of(to), attributes, site));
      return to;
    }

    private String clamped(String v, String site) {
      String low = edit.store(Constants.number("float16_lowest", -Float16.MAX));
      String high = edit.store(Constants.number("float16_highest", Float16.MAX));
      String out = edit.unique(v + "_clamped");
      edit.add(
          new OnnxNode(
              out, "", "Clip", List.of(v, low, high), List.of(out), new TreeMap<>(), site));
      return out;
    }
  }
}
