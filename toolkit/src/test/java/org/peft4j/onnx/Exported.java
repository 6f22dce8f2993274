package org.peft4j.onnx;

import ai.djl.ndarray.NDList;
import ai.djl.nn.Block;
import ai.djl.nn.LambdaBlock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.peft4j.tensor.Torch;

/** Exports blocks into files that are gone afterwards. */
final class Exported {
  private Exported() {}

  /** A block without parameters. */
  static Block block(Function<NDList, NDList> forward) {
    Torch.start();
    return new LambdaBlock(forward);
  }

  static String[] names(int outputs) {
    return IntStream.range(0, outputs).mapToObj(i -> "y" + i).toArray(String[]::new);
  }

  /** Exports, loads and runs a block at these sizes. */
  static Comparison compare(GraphExport export, List<Map<String, Long>> sizes, double tolerance)
      throws IOException {
    Path file = Files.createTempFile("exported", ".onnx");
    try (OnnxGraph graph = export.trace()) {
      graph.write(file);
      try (OnnxSession session = OnnxSession.load(file, 1)) {
        return export.compare(session, tolerance, sizes);
      }
    } finally {
      Files.deleteIfExists(file);
    }
  }

  /** Sizes such as {@code "batch", 1, "sequence", 7}. */
  static Map<String, Long> sizes(Object... pairs) {
    Map<String, Long> sizes = new LinkedHashMap<>();
    for (int i = 0; i < pairs.length; i += 2) {
      sizes.put((String) pairs[i], ((Number) pairs[i + 1]).longValue());
    }
    return sizes;
  }
}
