package org.peft4j.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.Onnx;
import org.peft4j.export.Exported;
import org.peft4j.onnx.Comparison;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Writes a model as ONNX and holds the file against the model. */
@Command(
    name = "export",
    description =
        "Write a model (with its adapter merged in) as ONNX, and check the file in ONNX Runtime.",
    mixinStandardHelpOptions = true)
final class ExportCommand implements Callable<Integer> {
  @Mixin private ModelOptions options = new ModelOptions();

  @Option(
      names = "--out",
      required = true,
      paramLabel = "FILE",
      description = "Where to write the graph, such as m.onnx.")
  private Path out = Path.of("");

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Override
  public Integer call() {
    Exported exported =
        options.adapter == null
            ? Onnx.export(options.load(), out)
            : Onnx.export(options.tuned(), out);
    Comparison comparison = exported.validate();
    if (json) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("out", out.toString());
      line.put("nodes", (long) exported.nodes());
      line.put("opset", (long) exported.opset());
      line.put("max_abs_difference", comparison.largestDifference());
      JsonLine.print(line);
    } else {
      System.out.println(out + ": " + exported.nodes() + " nodes, opset " + exported.opset());
      System.out.println(comparison);
    }
    return 0;
  }
}
