package org.peft4j.onnx;

import ai.djl.ndarray.NDManager;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * An ONNX graph in memory. Its stored tensors refer to the block's parameters where they can, so it
 * is written as they are at that time, and must be written before the block is closed.
 */
public final class OnnxGraph implements AutoCloseable {
  /** Stored tensors of more bytes than this go to a file of their own. */
  static final long EMBEDDED = 1_500_000_000L;

  /** Less need not be mapped. */
  private static final long MAPPED = 1 << 20;

  private final List<OnnxNode> nodes;
  private final List<Initializer> initializers;
  private final List<GraphValue> inputs;
  private final List<GraphValue> outputs;
  private final List<GraphValue> values;
  private final int opset;
  private final Map<String, String> metadata;
  private final @Nullable NDManager owner;

  OnnxGraph(
      List<OnnxNode> nodes,
      List<Initializer> initializers,
      List<GraphValue> inputs,
      List<GraphValue> outputs,
      List<GraphValue> values,
      int opset,
      Map<String, String> metadata,
      @Nullable NDManager owner) {
    this.nodes = List.copyOf(nodes);
    this.initializers = List.copyOf(initializers);
    this.inputs = List.copyOf(inputs);
    this.outputs = List.copyOf(outputs);
    this.values = List.copyOf(values);
    this.opset = opset;
    this.metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
    this.owner = owner;
  }

  /**
   * The same graph with other nodes, stored tensors and inputs, such as quantised weights or inputs
   * that replace stored tensors. What is computed under a known name has the type and the shape it
   * had. It shares this graph's arrays: close this one last.
   */
  public OnnxGraph with(
      List<OnnxNode> nodes, List<Initializer> initializers, List<GraphValue> inputs) {
    Set<String> made = new HashSet<>();
    nodes.forEach(n -> made.addAll(n.outputs()));
    List<GraphValue> kept = values.stream().filter(v -> made.contains(v.name())).toList();
    int next = Math.max(opset, Opsets.of(nodes));
    return new OnnxGraph(nodes, initializers, inputs, outputs, kept, next, metadata, null);
  }

  /** The same graph with one more entry for the file's metadata. */
  public OnnxGraph metadata(String key, String value) {
    Map<String, String> more = new LinkedHashMap<>(metadata);
    more.put(key, value);
    return new OnnxGraph(nodes, initializers, inputs, outputs, values, opset, more, null);
  }

  /**
   * The same graph that tells nothing of these {@link #values}, for edits that change their types
   * or shapes.
   */
  public OnnxGraph withoutValues(Predicate<String> names) {
    List<GraphValue> kept = values.stream().filter(v -> !names.test(v.name())).toList();
    return new OnnxGraph(nodes, initializers, inputs, outputs, kept, opset, metadata, null);
  }

  /** In an order in which each comes after those it uses. */
  public List<OnnxNode> nodes() {
    return nodes;
  }

  /** Stored tensors. */
  public List<Initializer> initializers() {
    return initializers;
  }

  public List<GraphValue> inputs() {
    return inputs;
  }

  public List<GraphValue> outputs() {
    return outputs;
  }

  /**
   * Types and shapes of floating-point values between inputs and outputs. A runtime that infers
   * shapes loses them where a size is computed, and then leaves out what it could fuse.
   */
  public List<GraphValue> values() {
    return values;
  }

  public Map<String, String> metadata() {
    return metadata;
  }

  /** Version of ONNX's own operators: the lowest that has those in use. */
  public int opset() {
    return opset;
  }

  /** Version of the file format. */
  public int irVersion() {
    return Opsets.ir(opset);
  }

  /** Number of nodes by operator. */
  public Map<String, Integer> histogram() {
    Map<String, Integer> counts = new TreeMap<>();
    nodes.forEach(n -> counts.merge(n.operator(), 1, Integer::sum));
    return counts;
  }

  /** Bytes of all stored tensors. */
  public long bytes() {
    return initializers.stream().mapToLong(Initializer::size).sum();
  }

  /**
   * Writes the graph; stored tensors of more than 1.5 GB go to {@code <file>.data} beside it. A
   * file of the name is replaced once the new one is complete.
   *
   * @return the files written
   */
  public List<Path> write(Path file) throws IOException {
    return ModelWriter.write(this, file, EMBEDDED);
  }

  /** Writes the graph with its stored tensors in {@code <file>.data} beside it. */
  public List<Path> writeWithExternalData(Path file) throws IOException {
    return ModelWriter.write(this, file, 0);
  }

  /**
   * Loads a file that was written of this graph, to run it a few times. Weights are mapped as they
   * stand in the file rather than read into memory.
   *
   * @param files as {@link #write} gave them
   */
  public OnnxSession mapped(List<Path> files) throws IOException {
    Path file = files.get(0);
    if (files.size() > 1 || bytes() < MAPPED) {
      return OnnxSession.mapped(file);
    }
    Path referring = file.resolveSibling(file.getFileName() + ".mapped");
    try {
      ModelWriter.writeReferring(this, referring, file);
      return OnnxSession.mapped(referring);
    } finally {
      Files.deleteIfExists(referring);
    }
  }

  /** Adds entries to the metadata of a file that was written. */
  public static void addMetadata(Path file, Map<String, String> entries) throws IOException {
    ModelWriter.append(file, entries);
  }

  /** Frees the tensors that were computed for it. */
  @Override
  public void close() {
    if (owner != null) {
      owner.close();
    }
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    text.append(nodes.size())
        .append(" nodes, ")
        .append(initializers.size())
        .append(" stored tensors of ");
    text.append(String.format(java.util.Locale.ROOT, "%.1f MB", bytes() / 1e6));
    text.append(", opset ").append(opset).append(", IR ").append(irVersion()).append('\n');
    inputs.forEach(v -> text.append("input  ").append(v).append('\n'));
    nodes.forEach(n -> text.append("  ").append(n).append('\n'));
    outputs.forEach(v -> text.append("output ").append(v).append('\n'));
    return text.append(histogram()).toString();
  }
}
