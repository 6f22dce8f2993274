package org.peft4j.export;

import org.peft4j.onnx.OnnxGraph;

/**
 * A change of the types that a graph computes in or stores. A pass is a value; it reads no weight
 * before the new graph is written, unless it says so.
 */
public interface GraphPass {
  /**
   * The changed graph. It shares the arrays of the given one: write it before that one is closed.
   */
  OnnxGraph apply(OnnxGraph graph);

  /**
   * What the weights lose by it. Reads all of them, one at a time.
   *
   * @param graph as it is before
   */
  QuantisationLoss loss(OnnxGraph graph);

  /**
   * How far a graph may be from the model after it, of outputs of size up to 1; of larger ones
   * relative to the largest. What is stored in few bits is told by its loss; this tells nonsense.
   */
  double tolerance();
}
