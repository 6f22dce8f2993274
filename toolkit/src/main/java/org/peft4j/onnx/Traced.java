package org.peft4j.onnx;

/** Marks the arrays that a forward sees while it is traced. */
interface Traced {
  TracedArray traced();
}
