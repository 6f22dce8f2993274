package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Which parts of outputs count in a comparison: what a model gives at padding is nobody's business.
 */
@FunctionalInterface
public interface Counted {
  /**
   * Factors for an output, broadcastable to it: 1 where it counts, 0 where it does not; null where
   * all of it counts.
   *
   * @param inputs of the run, by name
   */
  @Nullable NDArray weights(String output, Map<String, NDArray> inputs);

  /** All of everything. */
  static Counted all() {
    return (output, inputs) -> null;
  }
}
