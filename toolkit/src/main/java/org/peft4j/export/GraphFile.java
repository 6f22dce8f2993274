package org.peft4j.export;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.peft4j.onnx.Comparison;
import org.peft4j.onnx.ExportException;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxSession;

/**
 * A graph in a file. It is written into a folder beside its place, run there against what it was
 * made of, and takes its name only if it computes the same.
 */
final class GraphFile {
  /** Key of the file's metadata that has the table of differences. */
  static final String CHECKED = "peft4j.checked";

  private GraphFile() {}

  /**
   * Writes a graph.
   *
   * @param check runs the file against what it was made of
   * @return what became of it
   * @throws ExportException with the table of differences, if one is too large; nothing is written
   */
  static Exported.Graph write(OnnxGraph graph, Path file, Function<OnnxSession, Comparison> check) {
    Path folder = file.toAbsolutePath().getParent();
    try {
      if (folder == null || !Files.isDirectory(folder)) {
        throw new IllegalArgumentException(
            "cannot write " + file + "\nexpected: an existing folder\nfound: no folder " + folder);
      }
      Path draft = Files.createTempDirectory(folder, "." + file.getFileName() + ".");
      try {
        List<Path> files = graph.write(draft.resolve(file.getFileName()));
        Comparison comparison = checked(files.get(0), check);
        OnnxGraph.addMetadata(files.get(0), Map.of(CHECKED, comparison.toString()));
        return new Exported.Graph(
            file,
            moved(files, folder),
            graph.nodes().size(),
            graph.opset(),
            graph.irVersion(),
            graph.histogram(),
            comparison,
            new QuantisationLoss(List.of()));
      } finally {
        delete(draft);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be written: " + e.getMessage(), e);
    }
  }

  private static Comparison checked(Path draft, Function<OnnxSession, Comparison> check) {
    try (OnnxSession session = OnnxSession.load(draft)) {
      Comparison comparison = check.apply(session);
      if (!comparison.passed()) {
        throw new ExportException(
            "the graph does not compute what the model does, and was not written\n" + comparison);
      }
      return comparison;
    }
  }

  /** Data first, so that a graph that is there can be read. */
  private static List<Path> moved(List<Path> files, Path folder) throws IOException {
    List<Path> places = new ArrayList<>();
    for (Path f : files) {
      places.add(folder.resolve(f.getFileName()));
    }
    for (int i = files.size() - 1; i >= 0; i--) {
      try {
        Files.move(files.get(i), places.get(i), StandardCopyOption.ATOMIC_MOVE);
      } catch (AtomicMoveNotSupportedException e) {
        Files.move(files.get(i), places.get(i), StandardCopyOption.REPLACE_EXISTING);
      }
    }
    return places;
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path p : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(p);
      }
    }
  }
}
