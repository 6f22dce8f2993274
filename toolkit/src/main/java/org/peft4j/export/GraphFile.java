package org.peft4j.export;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.peft4j.format.AtomicFiles;
import org.peft4j.onnx.Comparison;
import org.peft4j.onnx.ExportException;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxSession;

/**
 * A graph that is written into a folder beside its place and has been run there against what it was
 * made of. It takes its name when it is installed; closing it deletes what is left.
 */
final class GraphFile implements AutoCloseable {
  /** Key of the file's metadata that has the table of differences. */
  static final String CHECKED = "peft4j.checked";

  private final Path file;
  private final Path folder;
  private final Path draft;
  private List<Path> written = List.of();

  private GraphFile(Path file) throws IOException {
    this.file = file;
    this.folder = requireFolder(file);
    this.draft = Files.createTempDirectory(folder, "." + file.getFileName() + ".");
  }

  /**
   * The folder that a file is to be written into.
   *
   * @throws IllegalArgumentException if it is not there
   */
  static Path requireFolder(Path file) {
    Path folder = file.toAbsolutePath().getParent();
    if (folder == null || !Files.isDirectory(folder)) {
      throw new IllegalArgumentException(
          "cannot write " + file + "\nexpected: an existing folder\nfound: no folder " + folder);
    }
    return folder;
  }

  /** Several graphs that take their names together, or none does. */
  record Drafts(List<GraphFile> files, List<Exported.Graph> graphs) implements AutoCloseable {
    Drafts() {
      this(new ArrayList<>(), new ArrayList<>());
    }

    /**
     * Writes one more graph and runs it.
     *
     * @param check runs the file against what it was made of
     * @param loss what weights lost that are stored in fewer bits
     * @throws ExportException with the table of differences, if one is too large
     */
    void add(
        OnnxGraph graph,
        Path file,
        Function<OnnxSession, Comparison> check,
        QuantisationLoss loss) {
      try {
        GraphFile one = new GraphFile(file);
        files.add(one);
        Comparison comparison = one.write(graph, check);
        graphs.add(
            new Exported.Graph(
                file,
                one.places(),
                graph.nodes().size(),
                graph.opset(),
                graph.irVersion(),
                graph.histogram(),
                comparison,
                loss));
      } catch (IOException e) {
        throw failed(file, e);
      }
    }

    /** Gives all their names. */
    Exported install() {
      for (GraphFile one : files) {
        try {
          one.move();
        } catch (IOException e) {
          throw failed(one.file, e);
        }
      }
      return new Exported(graphs);
    }

    @Override
    public void close() {
      for (GraphFile one : files) {
        one.close();
      }
    }
  }

  private static UncheckedIOException failed(Path file, IOException e) {
    return new UncheckedIOException(file + ": cannot be written: " + e.getMessage(), e);
  }

  private Comparison write(OnnxGraph graph, Function<OnnxSession, Comparison> check)
      throws IOException {
    written = graph.write(draft.resolve(file.getFileName()));
    Comparison comparison;
    try (OnnxSession session = graph.mapped(written)) {
      comparison = check.apply(session);
    }
    if (!comparison.passed()) {
      boolean finite = Double.isFinite(comparison.largestDifference());
      throw new ExportException(
          "the graph does not compute what the model does, and was not written\n"
              + comparison
              + (finite
                  ? ""
                  : "\nfix: of values that leave the range of float16, keep the nodes in float32 by "
                      + "Half.keeping, or store weights as integers"));
    }
    OnnxGraph.addMetadata(written.get(0), Map.of(CHECKED, comparison.toString()));
    return comparison;
  }

  private List<Path> places() {
    return written.stream().map(f -> folder.resolve(f.getFileName())).toList();
  }

  /** Data first, so that a graph that is there can be read. */
  private void move() throws IOException {
    for (int i = written.size() - 1; i >= 0; i--) {
      try {
        Files.move(written.get(i), places().get(i), StandardCopyOption.ATOMIC_MOVE);
      } catch (AtomicMoveNotSupportedException e) {
        Files.move(written.get(i), places().get(i), StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }

  @Override
  public void close() {
    try {
      AtomicFiles.deleteTree(draft);
    } catch (IOException e) {
      throw failed(draft, e);
    }
  }
}
