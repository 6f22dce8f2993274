package org.peft4j.onnx;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import org.jspecify.annotations.Nullable;

/** Hands a traced forward its parameters. */
final class TracedParameters extends ParameterStore {
  private final Trace trace;

  TracedParameters(Trace trace) {
    super(trace.recorder(), false);
    this.trace = trace;
  }

  @Override
  @SuppressWarnings("NullAway") // optional parameters are null in DJL, and come back so
  public NDArray getValue(@Nullable Parameter parameter, Device device, boolean training) {
    return parameter == null ? null : trace.parameter(parameter);
  }
}
