package org.peft4j.export;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import java.nio.file.Path;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.peft4j.onnx.GraphExport;
import org.peft4j.onnx.Input;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.spi.Paths;

/** Any DJL block as ONNX. */
public final class BlockExport {
  private BlockExport() {}

  /**
   * Writes a block with one output. The file appears once it has been run and computes what the
   * block does, or not at all.
   *
   * @param inputs in the order of the block's
   */
  public static Exported write(Block block, Path file, Input... inputs) {
    IdentityHashMap<Parameter, String> names = new IdentityHashMap<>();
    Paths.parameters(block).forEach((path, p) -> names.put(p, path));
    GraphExport export =
        GraphExport.of(block)
            .inputs(inputs)
            .outputs("output")
            .names(p -> names.getOrDefault(p, p.getName()))
            .metadata(Map.of("producer", "peft4j"));
    try (OnnxGraph graph = export.trace()) {
      return new Exported(List.of(GraphFile.write(graph, file, export::compare)));
    }
  }
}
