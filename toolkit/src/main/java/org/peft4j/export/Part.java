package org.peft4j.export;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.onnx.AdaptedSession;
import org.peft4j.onnx.Comparison;
import org.peft4j.onnx.Counted;
import org.peft4j.onnx.GraphExport;
import org.peft4j.onnx.Input;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.onnx.Sample;

/**
 * What one graph of a model computes: a block around the model with the graph's inputs and outputs,
 * in their order.
 */
abstract class Part extends AbstractBlock {
  private final Block model;

  Part(Block model) {
    super((byte) 1);
    this.model = addChildBlock("", model);
  }

  /** The graph's file, without its ending. */
  abstract String file();

  abstract List<Input> inputs();

  abstract List<String> outputs();

  abstract NDList compute(Call call);

  /** Runs to hold a graph against the model with: sizes that were not traced, padding. */
  abstract List<Case> cases();

  /** Which parts of outputs count: those that no padding made. */
  Counted counted() {
    return Counted.all();
  }

  /** What further runs say of a graph, beside single ones. */
  Comparison more(OnnxSession session, double tolerance) {
    return new Comparison(List.of(), tolerance);
  }

  /** The inputs with values to check a graph with, padded on one side. */
  List<Input> checked(boolean left) {
    return inputs().stream()
        .map(
            i ->
                i.name().endsWith("attention_mask")
                    ? i.sampled(left ? Sample.leftMask() : Sample.mask())
                    : i)
        .toList();
  }

  /** Holds a graph against the model. */
  final Comparison check(OnnxSession session, double tolerance) {
    return more(session, tolerance).and(runs(session.use(), tolerance));
  }

  /** Single runs of a graph, with adapters or without, against the model. */
  final Comparison runs(AdaptedSession session, double tolerance) {
    Comparison all = new Comparison(List.of(), tolerance);
    for (Case c : cases()) {
      Comparison runs =
          GraphExport.of(this)
              .inputs(checked(c.left()).toArray(Input[]::new))
              .outputs(outputs().toArray(String[]::new))
              .compare(session, tolerance, List.of(c.sizes()), counted())
              .worst();
      all = all.and(c.name().isEmpty() ? runs : runs.named(c.name()));
    }
    return all;
  }

  /**
   * One run.
   *
   * @param in the graph's inputs
   */
  record Call(Block model, ParameterStore store, boolean training, NDList in) {
    NDManager manager() {
      return in.head().getManager();
    }

    NDList run(NDList inputs, PairList<String, Object> wishes) {
      return model.forward(store, inputs, training, wishes);
    }
  }

  /** The array, which the model is to take for the input of that name. */
  static NDArray named(String name, NDArray array) {
    array.setName(name);
    return array;
  }

  @Override
  protected final NDList forwardInternal(
      ParameterStore store,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params) {
    return compute(new Call(model, store, training, inputs));
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    throw new UnsupportedOperationException("the shapes of a graph's outputs come from tracing it");
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType type, Shape... inputShapes) {
    model.initialize(manager, type, inputShapes);
  }
}
