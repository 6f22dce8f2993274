package org.peft4j.onnx;

import org.jspecify.annotations.Nullable;

/** Records a call as nodes. */
@FunctionalInterface
interface Emitter {
  /** What the forward gets back: an array, a list, or null from a method without result. */
  @Nullable Object emit(Call call);
}
