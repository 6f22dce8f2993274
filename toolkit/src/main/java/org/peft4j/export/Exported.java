package org.peft4j.export;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.peft4j.onnx.Comparison;
import org.peft4j.onnx.OnnxSession;

/** What was written of a model: one graph, or several of a model with an encoder and a decoder. */
public final class Exported {
  private final List<Graph> graphs;

  Exported(List<Graph> graphs) {
    this.graphs = List.copyOf(graphs);
  }

  /**
   * One graph.
   *
   * @param file the graph
   * @param files the graph, and its weights where they lie beside it
   * @param nodes number of operators
   * @param opset version of the operators that it asks for, as low as they allow
   * @param irVersion version of the file format
   * @param histogram number of nodes by operator
   * @param checked how far it is from the model
   * @param loss what weights lost that are stored in fewer bits
   */
  public record Graph(
      Path file,
      List<Path> files,
      int nodes,
      int opset,
      int irVersion,
      Map<String, Integer> histogram,
      Comparison checked,
      QuantisationLoss loss) {
    public Graph {
      files = List.copyOf(files);
      histogram = Map.copyOf(histogram);
    }

    @Override
    public String toString() {
      return file + ": " + nodes + " nodes, opset " + opset + ", IR " + irVersion;
    }
  }

  /** The graphs, in the order in which they run. */
  public List<Graph> graphs() {
    return graphs;
  }

  /** The first graph's file. */
  public Path file() {
    return graphs.get(0).file();
  }

  /** Number of operators in all graphs. */
  public int nodes() {
    return graphs.stream().mapToInt(Graph::nodes).sum();
  }

  /** The highest version of the operators that a graph asks for. */
  public int opset() {
    return graphs.stream().mapToInt(Graph::opset).max().orElseThrow();
  }

  /** All files of graphs and weights. */
  public List<Path> files() {
    return graphs.stream().flatMap(g -> g.files().stream()).toList();
  }

  /**
   * How far the files are from the model, on inputs of sizes that were not traced: they were held
   * against it before they got their names.
   */
  public Comparison validate() {
    return graphs.stream().map(Graph::checked).reduce(Comparison::and).orElseThrow();
  }

  /** The first graph in ONNX Runtime. */
  public OnnxSession session() {
    return OnnxSession.load(file());
  }

  @Override
  public String toString() {
    return graphs.stream().map(Graph::toString).collect(Collectors.joining("\n"))
        + String.format(
            java.util.Locale.ROOT,
            "; at most %.1e from the model (.validate() shows it)",
            validate().largestDifference());
  }
}
