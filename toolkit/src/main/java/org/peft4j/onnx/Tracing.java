package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** What code may say to the tracer that runs it. */
public final class Tracing {
  private Tracing() {}

  /** Whether {@code array} belongs to a forward that is being traced. */
  public static boolean isTraced(@Nullable NDArray array) {
    return array instanceof Traced;
  }

  /**
   * A function of several operations for which a runtime has a single operator. Where the arrays
   * are not traced, {@code plain} simply runs. Where they are, one node is recorded, whose shapes
   * come from running {@code plain}; it must therefore compute what the operator computes. An
   * operator of another domain than ONNX's own is recorded only by an export that allows it ({@link
   * GraphExport#contrib}), else {@code plain} is traced.
   *
   * @param domain such as {@code "com.microsoft"}, or empty for ONNX's own
   * @param attributes whole numbers, floats, texts, and arrays of numbers
   * @param plain the definition, from the inputs to the outputs, in the operator's order
   * @param inputs null for an optional one that is left out
   */
  public static NDList composite(
      String domain,
      String operator,
      Map<String, ?> attributes,
      Function<@Nullable NDArray[], NDList> plain,
      @Nullable NDArray... inputs) {
    Trace trace = null;
    for (NDArray input : inputs) {
      if (input instanceof Traced traced) {
        trace = traced.traced().trace();
      }
    }
    if (trace == null || (!domain.isEmpty() && !trace.contrib())) {
      return plain.apply(inputs);
    }
    Trace t = trace;
    List<Value> values = new ArrayList<>();
    @Nullable NDArray[] reals = new NDArray[inputs.length];
    List<NDArray> present = new ArrayList<>();
    for (int i = 0; i < inputs.length; i++) {
      NDArray input = inputs[i];
      Value v = input == null ? t.absent() : t.value(input);
      values.add(v);
      if (input != null) {
        reals[i] = v.real();
        present.add(v.real());
      }
    }
    NDList results = t.own(() -> plain.apply(reals), present.toArray(new NDArray[0]));
    NDList out = new NDList();
    for (Value v : t.nodes(domain, operator, attributes, results, values)) {
      out.add(v == null ? null : t.array(Objects.requireNonNull(v)));
    }
    return out;
  }
}
