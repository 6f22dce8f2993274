package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A function of several operations for which a runtime of graphs has a single operator. It simply
 * runs, unless a graph is being recorded: that takes the operator if it may.
 */
public final class Composite {
  private Composite() {}

  /**
   * An operator of a runtime.
   *
   * @param domain such as {@code "com.microsoft"}, or empty for ONNX's own
   * @param attributes whole numbers, floats, texts, and arrays of numbers
   * @param contrib whether it is ONNX Runtime's alone, so that a graph for others must not have it
   */
  public record Operator(String domain, String name, Map<String, ?> attributes, boolean contrib) {
    /** One of ONNX Runtime's. */
    public static Operator contrib(String name, Map<String, ?> attributes) {
      return new Operator("com.microsoft", name, attributes, true);
    }
  }

  /** An array that belongs to a graph which is being recorded. */
  public interface Recorded {
    /** Whether the graph may have ONNX Runtime's own operators. */
    boolean allowsContrib();

    /** Notes down one operator; the shapes of its results come from running {@code plain}. */
    NDList record(
        Operator operator, Function<@Nullable NDArray[], NDList> plain, @Nullable NDArray[] inputs);
  }

  /** Whether {@code x} belongs to a graph that may have ONNX Runtime's own operators. */
  public static boolean allowsContrib(NDArray x) {
    return x instanceof Recorded r && r.allowsContrib();
  }

  /**
   * Runs {@code plain}, or records the operator, which must compute the same.
   *
   * @param plain the definition, from the inputs to the outputs, in the operator's order
   * @param inputs null for an optional one that is left out
   */
  public static NDList of(
      Operator operator, Function<@Nullable NDArray[], NDList> plain, @Nullable NDArray... inputs) {
    for (NDArray input : inputs) {
      if (input instanceof Recorded r && (!operator.contrib || r.allowsContrib())) {
        return r.record(operator, plain, inputs);
      }
    }
    return plain.apply(inputs);
  }
}
