package org.peft4j.onnx;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import com.sun.jna.Function;
import com.sun.jna.Platform;

/**
 * ONNX Runtime, started without its telemetry: from 1.29 on it reports to Microsoft unless told
 * otherwise, and while it prepares that, a process with a long command line (a class path of some
 * 5,000 characters) dies of a stack overflow.
 */
final class OnnxRuntime {
  private static final String SWITCH = "ORT_DISABLE_TELEMETRY";

  private OnnxRuntime() {}

  /** The one environment of the process. */
  static OrtEnvironment environment() {
    return Started.ENVIRONMENT;
  }

  private static final class Started {
    static final OrtEnvironment ENVIRONMENT = start();

    private static OrtEnvironment start() {
      if (!Platform.isWindows() && System.getenv(SWITCH) == null) {
        // read by the native library as it starts, so System.getenv's copy will not do
        Function.getFunction("c", "setenv").invokeInt(new Object[] {SWITCH, "1", 1});
      }
      OrtEnvironment environment = OrtEnvironment.getEnvironment();
      try {
        environment.setTelemetry(false);
      } catch (OrtException e) {
        throw new IllegalStateException(e);
      }
      return environment;
    }
  }
}
