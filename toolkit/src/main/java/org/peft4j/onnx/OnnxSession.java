package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.tensor.Buffers;

/**
 * An ONNX file, loaded in ONNX Runtime on the CPU. Several threads may run it at once.
 *
 * <p>A graph with places for adapters takes them beside its own weights, another one for each run:
 *
 * <pre>{@code
 * session.adapter("polite", Path.of("polite.onnx_adapter"));
 * session.run(manager, inputs);               // the base alone
 * session.use("polite").run(manager, inputs); // with the adapter
 * }</pre>
 */
public final class OnnxSession implements AutoCloseable {
  private final Path file;
  private final OrtSession session;
  private final List<GraphValue> inputs;
  private final List<GraphValue> outputs;
  private final Map<String, String> metadata;
  private final AdapterSlots slots;
  private final LoadedAdapters adapters;

  private OnnxSession(Path file, OrtSession session) throws OrtException {
    this.file = file;
    this.session = session;
    inputs = values(session.getInputInfo());
    outputs = values(session.getOutputInfo());
    metadata =
        Collections.unmodifiableMap(
            new java.util.TreeMap<>(session.getMetadata().getCustomMetadata()));
    slots = AdapterSlots.of(file, metadata);
    adapters = new LoadedAdapters(file, slots);
  }

  /** Loads a file, with as many threads per operation as there are cores. */
  public static OnnxSession load(Path file) {
    return load(file, 0);
  }

  /**
   * Loads a file.
   *
   * @param threads per operation; 0 for as many as there are cores
   * @throws IllegalArgumentException when there is no such file or ONNX Runtime refuses it
   */
  public static OnnxSession load(Path file, int threads) {
    return load(file, threads, true);
  }

  /**
   * Loads a file to run it a few times: weights in files beside it stay mapped as they lie there
   * rather than being laid out or computed anew in memory, so that the model is not held twice.
   */
  public static OnnxSession mapped(Path file) {
    return load(file, 0, false);
  }

  private static OnnxSession load(Path file, int threads, boolean packed) {
    if (threads < 0) {
      throw new IllegalArgumentException("threads must not be negative, was " + threads);
    }
    if (!Files.isRegularFile(file)) {
      throw new IllegalArgumentException(
          "no ONNX file\nexpected: a file at " + file.toAbsolutePath() + "\nfound: none");
    }
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR);
      if (threads > 0) {
        options.setIntraOpNumThreads(threads);
      }
      if (!packed) {
        options.addConfigEntry("session.disable_prepacking", "1");
        // freed memory goes back at once: an arena would keep the largest of what a run needed
        options.setCPUArenaAllocator(false);
        options.setMemoryPatternOptimization(false);
        // it would keep a turned copy of a head that is tied to the embeddings
        options.addConfigEntry("optimization.disable_specified_optimizers", "ConstantFolding");
      }
      return new OnnxSession(
          file, OnnxRuntime.environment().createSession(file.toAbsolutePath().toString(), options));
    } catch (OrtException e) {
      throw new IllegalArgumentException(
          "ONNX Runtime cannot load " + file + "\nfound: " + e.getMessage(), e);
    }
  }

  private static List<GraphValue> values(Map<String, NodeInfo> infos) {
    List<GraphValue> values = new ArrayList<>();
    infos.forEach(
        (name, info) -> {
          if (!(info.getInfo() instanceof TensorInfo tensor)) {
            throw new IllegalArgumentException(
                "\"" + name + "\" is no tensor\nfound: " + info.getInfo());
          }
          List<String> dims = new ArrayList<>();
          String[] names = tensor.getDimensionNames();
          for (int i = 0; i < tensor.getShape().length; i++) {
            long size = tensor.getShape()[i];
            dims.add(size >= 0 ? Long.toString(size) : names[i]);
          }
          values.add(new GraphValue(name, Types.of(tensor.type), dims));
        });
    return List.copyOf(values);
  }

  /** The inputs that must be given. */
  public List<GraphValue> inputs() {
    return inputs;
  }

  public List<GraphValue> outputs() {
    return outputs;
  }

  /** The file's own entries of metadata. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /** The environment of all sessions, for tensors that are made outside of this class. */
  public static OrtEnvironment environment() {
    return OnnxRuntime.environment();
  }

  /** The places that the graph has for adapters; none where nothing tells of them. */
  public AdapterSlots slots() {
    return slots;
  }

  /**
   * Loads an adapter to {@link #use}. It stays loaded until the session is closed.
   *
   * @param name what to call it, not in use yet
   * @throws IllegalArgumentException when it does not fit the graph: what is missing, unknown or
   *     misshaped, all named at once
   */
  public OnnxSession adapter(String name, Path adapter) {
    adapters.load(name, adapter);
    return this;
  }

  /**
   * Loads one adapter into graphs that make up a model: each takes what is for it.
   *
   * @param name what to call it, not in use yet
   * @throws IllegalArgumentException when it does not fit the graphs together: what is missing,
   *     unknown or misshaped, all named at once
   */
  public static void adapter(List<OnnxSession> graphs, String name, Path adapter) {
    graphs.forEach(g -> g.adapters.requireFree(name));
    OnnxAdapter content = OnnxAdapter.read(adapter);
    Path first = graphs.get(0).file.toAbsolutePath();
    Path folder = first.getParent();
    graphs.stream()
        .map(OnnxSession::slots)
        .reduce(AdapterSlots::and)
        .orElseThrow()
        .check(content, graphs.size() == 1 || folder == null ? first : folder);
    graphs.forEach(g -> g.adapters.load(name, content));
  }

  /** Names of the loaded adapters. */
  public List<String> adapters() {
    return adapters.names();
  }

  /**
   * The session with these adapters acting: several where they are in different modules, none for
   * the base alone. What it gives stays as it is, whatever else is used meanwhile.
   *
   * @throws IllegalArgumentException when one is not loaded, or two are in the same module
   */
  public AdaptedSession use(String... names) {
    return new AdaptedSession(this, adapters.chosen(names));
  }

  /** ONNX Runtime's own session, for what this class does not offer. */
  public OrtSession runtime() {
    return session;
  }

  /**
   * Runs the graph.
   *
   * @param owner of the results
   * @param arrays by the names of the inputs
   * @return outputs by name, in the file's order
   * @throws IllegalArgumentException when inputs are missing, unknown or do not fit, all named at
   *     once
   */
  public Map<String, NDArray> run(NDManager owner, Map<String, NDArray> arrays) {
    return run(owner, arrays, null);
  }

  Map<String, NDArray> run(
      NDManager owner, Map<String, NDArray> arrays, OrtSession.@Nullable RunOptions options) {
    check(arrays);
    Map<String, OnnxTensor> tensors = new LinkedHashMap<>();
    try {
      for (Map.Entry<String, NDArray> e : arrays.entrySet()) {
        tensors.put(e.getKey(), tensor(e.getValue()));
      }
      try (OrtSession.Result result = session.run(tensors, options)) {
        Map<String, NDArray> results = new LinkedHashMap<>();
        for (Map.Entry<String, OnnxValue> e : result) {
          results.put(e.getKey(), array(owner, (OnnxTensor) e.getValue()));
        }
        return results;
      }
    } catch (OrtException e) {
      throw new IllegalStateException(
          "ONNX Runtime failed to run " + file + "\nfound: " + e.getMessage(), e);
    } finally {
      tensors.values().forEach(OnnxTensor::close);
    }
  }

  private static OnnxTensor tensor(NDArray array) throws OrtException {
    // an empty array has no address to give
    ByteBuffer bytes = array.size() == 0 ? ByteBuffer.allocateDirect(0) : Buffers.view(array);
    return OnnxTensor.createTensor(
        OnnxRuntime.environment(),
        bytes,
        array.getShape().getShape(),
        Types.runtime(array.getDataType()));
  }

  private static NDArray array(NDManager owner, OnnxTensor tensor) {
    Shape shape = new Shape(tensor.getInfo().getShape());
    DataType type = Types.of(tensor.getInfo().type);
    return Buffers.create(owner, shape, type, out -> out.put(tensor.getByteBuffer()));
  }

  private void check(Map<String, NDArray> arrays) {
    List<String> problems = new ArrayList<>();
    Map<String, String> sizes = new LinkedHashMap<>();
    for (GraphValue input : inputs) {
      NDArray array = arrays.get(input.name());
      if (array == null) {
        problems.add("missing: " + input);
      } else {
        String problem = input.misfit(array.getDataType(), array.getShape(), sizes);
        if (problem != null) {
          problems.add(problem);
        }
      }
    }
    List<String> names = inputs.stream().map(GraphValue::name).toList();
    arrays.keySet().stream()
        .filter(n -> !names.contains(n))
        .forEach(n -> problems.add("unknown: \"" + n + "\", the inputs are " + names));
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          "inputs of " + file.getFileName() + "\nfound: " + String.join("\nfound: ", problems));
    }
  }

  /** Frees the graph and its adapters. */
  @Override
  public void close() {
    adapters.close();
    try {
      session.close();
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public String toString() {
    return file.getFileName() + ": " + inputs + " -> " + outputs;
  }
}
