package org.peft4j.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import java.util.LinkedHashMap;
import java.util.Map;
import org.peft4j.tensor.AdamWStep;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;

/**
 * AdamW (arXiv 1711.05101) with its state by parameter name, so that a checkpoint can hold it.
 *
 * @see AdamWStep
 */
final class AdamW implements AutoCloseable {
  private final NDManager owner;
  private final double beta1;
  private final double beta2;
  private final double epsilon;
  private final Map<String, NDArray> first = new LinkedHashMap<>();
  private final Map<String, NDArray> second = new LinkedHashMap<>();
  private long updates;

  AdamW(NDManager parent, double beta1, double beta2, double epsilon) {
    this.owner = parent.newSubManager();
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.epsilon = epsilon;
  }

  /** Begins the next update; parameters are then given one by one to {@link #update}. */
  void begin() {
    updates++;
  }

  void update(
      String name, Parameter parameter, NDArray gradient, double learningRate, double decay) {
    NDArray p = parameter.getArray();
    NDArray m = first.computeIfAbsent(name, n -> zeros(p));
    NDArray v = second.computeIfAbsent(name, n -> zeros(p));
    AdamWStep.apply(p, gradient, m, v, updates, learningRate, beta1, beta2, epsilon, decay);
  }

  /**
   * Forgets a share of a parameter's moments: both are zeroed where the first one is smallest. Of
   * equal ones at the limit all go. The count of updates goes on, so the next steps are larger than
   * a new run's first ones.
   *
   * @param share of the elements, in [0, 1]; rounded to whole ones
   */
  void prune(String name, double share) {
    NDArray m = first.get(name);
    NDArray v = second.get(name);
    long n = m == null ? 0 : Math.round(share * m.size());
    if (m == null || v == null || n == 0) {
      return;
    }
    try (Scope scope = Scope.open()) {
      NDArray size = m.abs();
      NDArray limit = size.flatten().sort().get(n - 1);
      NDArray kept = size.gt(limit).toType(DataType.FLOAT32, false);
      m.muli(kept);
      v.muli(kept);
    }
  }

  private NDArray zeros(NDArray like) {
    return Scope.giveTo(owner, owner.zeros(like.getShape(), DataType.FLOAT32));
  }

  long updates() {
    return updates;
  }

  /** The moments by name, {@code m:...} and {@code v:...}. */
  Map<String, NDArray> state() {
    Map<String, NDArray> out = new LinkedHashMap<>();
    first.forEach((n, a) -> out.put("m:" + n, a));
    second.forEach((n, a) -> out.put("v:" + n, a));
    return out;
  }

  /** Takes over what {@link #state} gave. */
  void restore(Map<String, NDArray> state, long updatesMade) {
    updates = updatesMade;
    state.forEach(
        (n, a) -> {
          Map<String, NDArray> into = n.startsWith("m:") ? first : second;
          into.put(n.substring(2), Scope.giveTo(owner, Buffers.copyOf(owner, a)));
        });
  }

  @Override
  public void close() {
    owner.close();
  }
}
