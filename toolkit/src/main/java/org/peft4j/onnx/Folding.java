package org.peft4j.onnx;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Which values of a recorded graph are needed, and which are constants: they depend neither on an
 * input nor on the sizes, so that what was computed while recording can be stored.
 */
final class Folding {
  /** A rearranged copy of a stored tensor is not stored as well from this many elements on. */
  private static final long SHARED = 1024;

  private static final Set<String> REARRANGEMENTS =
      Set.of("Transpose", "Reshape", "Unsqueeze", "Squeeze");

  private final boolean[] constant;
  private final Map<Value, Node> producers = new HashMap<>();
  private final Map<Value, Value> representatives = new HashMap<>();
  private final Set<Value> live = new HashSet<>();
  private final Set<Value> shared = new HashSet<>();

  Folding(Alignment alignment) {
    Trace trace = alignment.first();
    constant = new boolean[trace.values().size()];
    for (Node n : trace.nodes()) {
      n.outputs().stream().filter(Objects::nonNull).forEach(v -> producers.put(v, n));
    }
    Map<String, Value> seen = new HashMap<>();
    for (Value v : trace.values()) {
      Node n = producers.get(v);
      constant[v.id] =
          v.kind != Value.Kind.INPUT
              && alignment.steady(v)
              && (n == null || n.inputs().stream().allMatch(this::constant));
      Value first = constant(v) ? seen.putIfAbsent(key(v), v) : null;
      representatives.put(v, first == null ? v : first);
    }
    findLive(trace.outputs());
    live.forEach(this::findShared);
  }

  /** Equal for constants that are computed alike. */
  private String key(Value v) {
    Node n = producers.get(v);
    if (n == null) {
      return v.content();
    }
    String inputs =
        n.inputs().stream()
            .map(i -> Integer.toString(representative(i).id))
            .collect(Collectors.joining(","));
    return n.domain()
        + "."
        + n.operator()
        + Alignment.attributes(n)
        + "("
        + inputs
        + ")"
        + n.outputs().indexOf(v);
  }

  private void findLive(List<Value> outputs) {
    Deque<Value> queue = new ArrayDeque<>(outputs);
    while (!queue.isEmpty()) {
      Value v = queue.remove();
      Node n = producers.get(v);
      if (live.add(v) && !constant(v) && n != null) {
        queue.addAll(n.inputs());
      }
    }
  }

  /** A tied weight that is used both as it is and rearranged stays one. */
  private void findShared(Value v) {
    Node n = producers.get(v);
    if (n != null && constant(v) && REARRANGEMENTS.contains(n.operator())) {
      Value stored = n.inputs().get(0);
      if (stored.kind == Value.Kind.PARAMETER
          && live.contains(stored)
          && stored.shape.size() >= SHARED) {
        shared.add(representative(v));
      }
    }
  }

  boolean constant(Value v) {
    return constant[v.id];
  }

  /** Whether a node has to be in the graph. */
  boolean live(Node n) {
    return n.outputs().stream().anyMatch(v -> v != null && live.contains(v) && !constant(v));
  }

  /** Whether a constant is to be rearranged by the graph. */
  boolean shared(Value v) {
    return shared.contains(representative(v));
  }

  /** The first constant that is the same. */
  Value representative(Value v) {
    return Objects.requireNonNull(representatives.get(v));
  }

  @Nullable Node producer(Value v) {
    return producers.get(v);
  }

  /**
   * The name of the parameter that a constant is, or of the first one of its size that it was
   * computed from; else empty.
   */
  static String name(Value constant) {
    Deque<Value> queue = new ArrayDeque<>(List.of(constant));
    Set<Value> seen = new HashSet<>();
    while (!queue.isEmpty()) {
      Value v = queue.pop();
      if (v.kind == Value.Kind.PARAMETER && v.shape.size() == constant.shape.size()) {
        return v.name;
      }
      for (int i = v.sources.size() - 1; i >= 0; i--) {
        if (seen.add(v.sources.get(i))) {
          queue.push(v.sources.get(i));
        }
      }
    }
    return "";
  }
}
