package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.peft4j.tensor.Composite;
import org.peft4j.tensor.Composite.Operator;

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
    return Composite.of(
        new Operator(domain, operator, attributes, !domain.isEmpty()), plain, inputs);
  }

  /** Answers {@link Composite.Recorded#record}, whose arguments these are. */
  @SuppressWarnings("unchecked") // by the signature of that method
  static NDList record(Trace trace, @Nullable Object[] args) {
    Operator operator = (Operator) Objects.requireNonNull(args[0]);
    Function<@Nullable NDArray[], NDList> plain =
        (Function<@Nullable NDArray[], NDList>) Objects.requireNonNull(args[1]);
    @Nullable NDArray[] inputs = (@Nullable NDArray[]) Objects.requireNonNull(args[2]);
    List<Value> values = new ArrayList<>();
    @Nullable NDArray[] reals = new NDArray[inputs.length];
    List<NDArray> present = new ArrayList<>();
    for (int i = 0; i < inputs.length; i++) {
      NDArray input = inputs[i];
      Value v = input == null ? trace.absent() : trace.value(input);
      values.add(v);
      if (input != null) {
        reals[i] = v.real();
        present.add(v.real());
      }
    }
    NDList results = trace.own(() -> plain.apply(reals), present.toArray(new NDArray[0]));
    NDList out = new NDList();
    for (Value v :
        trace.nodes(operator.domain(), operator.name(), operator.attributes(), results, values)) {
      out.add(v == null ? null : trace.array(Objects.requireNonNull(v)));
    }
    return out;
  }
}
