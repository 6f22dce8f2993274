package org.peft4j.onnx;

import org.peft4j.tensor.Composite;

/** Marks the arrays that a forward sees while it is traced. */
interface Traced extends Composite.Recorded {
  TracedArray traced();
}
