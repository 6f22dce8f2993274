package org.peft4j.export;

import ai.djl.nn.Block;
import java.nio.file.Path;
import java.util.Map;
import org.peft4j.onnx.GraphExport;
import org.peft4j.onnx.Input;
import org.peft4j.onnx.OnnxGraph;

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
    GraphFile.requireFolder(file);
    GraphExport export =
        GraphExport.of(block)
            .inputs(inputs)
            .outputs("output")
            .names(TensorNames.of(block))
            .metadata(Map.of("producer", "peft4j"));
    try (OnnxGraph graph = export.trace();
        GraphFile.Drafts drafts = new GraphFile.Drafts()) {
      drafts.add(graph, file, export::compare, QuantisationLoss.NONE);
      return drafts.install();
    }
  }
}
