package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.util.List;
import java.util.Map;

/**
 * A session with some of its adapters acting, see {@link OnnxSession#use}. It is a value that
 * several threads may share; it ends with its session.
 */
public final class AdaptedSession {
  private final OnnxSession session;
  private final List<LoadedAdapters.Loaded> adapters;

  AdaptedSession(OnnxSession session, List<LoadedAdapters.Loaded> adapters) {
    this.session = session;
    this.adapters = List.copyOf(adapters);
  }

  /** The session, where other adapters can be chosen. */
  public OnnxSession session() {
    return session;
  }

  /** Names of the adapters that act; none for the base alone. */
  public List<String> adapters() {
    return adapters.stream().map(LoadedAdapters.Loaded::name).toList();
  }

  /** Like {@link OnnxSession#run}, with the adapters. */
  public Map<String, NDArray> run(NDManager owner, Map<String, NDArray> arrays) {
    try (OrtSession.RunOptions options = options()) {
      return session.run(owner, arrays, options);
    }
  }

  /**
   * What tells ONNX Runtime of the adapters in a run of {@link OnnxSession#runtime}; the caller
   * closes it.
   */
  public OrtSession.RunOptions options() {
    try {
      OrtSession.RunOptions options = new OrtSession.RunOptions();
      try {
        for (LoadedAdapters.Loaded a : adapters) {
          if (a.runtime() != null) {
            options.addActiveLoraAdapter(a.runtime());
          }
        }
        return options;
      } catch (OrtException | RuntimeException e) {
        options.close();
        throw e;
      }
    } catch (OrtException e) {
      throw new IllegalStateException(
          "ONNX Runtime does not take the adapters " + adapters() + "\nfound: " + e.getMessage(),
          e);
    }
  }

  @Override
  public String toString() {
    return session + (adapters.isEmpty() ? "" : " with " + String.join(", ", adapters()));
  }
}
