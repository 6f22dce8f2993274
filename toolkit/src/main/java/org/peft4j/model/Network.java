package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.Layer;
import org.peft4j.spi.Pass;
import org.peft4j.tensor.Scope;

/** A body with or without a head, named as Hugging Face names the two together. */
final class Network extends Layer {
  private final Body body;
  private final @Nullable Head head;

  /**
   * The body is called {@code prefix} beside a head with modules of its own or a task, and nothing
   * otherwise.
   */
  Network(Body body, @Nullable Head head, String prefix) {
    this.body = addChildBlock(head == null || head.task() == Task.FEATURES ? "" : prefix, body);
    this.head = head == null ? null : addChildBlock("", head);
  }

  Body body() {
    return body;
  }

  @Nullable Head head() {
    return head;
  }

  Task task() {
    return head == null ? Task.FEATURES : head.task();
  }

  List<String> outputNames() {
    return head != null ? List.of(head.outputName()) : List.of("last_hidden_state");
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore store,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params) {
    return compute(Pass.of(store, training), inputs, Positions.in(params));
  }

  @Override
  protected NDList compute(Pass pass, NDList inputs) {
    return compute(pass, inputs, null);
  }

  private NDList compute(Pass pass, NDList inputs, @Nullable NDArray positions) {
    if (!(inputs.head() instanceof PtNDArray)) {
      return run(pass, inputs, positions); // traced: the tracer owns what is made
    }
    try (Scope scope = Scope.open()) {
      NDList out = run(pass, inputs, positions);
      for (NDArray a : out) {
        scope.keep(a).attach(inputs.head().getManager());
      }
      return out;
    }
  }

  private NDList run(Pass pass, NDList inputs, @Nullable NDArray positions) {
    Inputs in = Inputs.of(inputs);
    NDArray hidden = body.encode(pass, in);
    if (positions != null && task() == Task.CAUSAL_LM) {
      hidden = Positions.rows(hidden, positions);
    }
    if (head != null) {
      return new NDList(head.apply(pass, body, in, hidden));
    }
    NDArray pooled = body.pool(pass, hidden);
    return pooled == null ? new NDList(hidden) : new NDList(hidden, pooled);
  }

  @Override
  public Shape[] getOutputShapes(Shape[] in) {
    long batch = in[0].get(0);
    return new Shape[] {head == null ? in[0].add(body.hiddenSize()) : new Shape(batch, -1)};
  }
}
