package org.peft4j.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.Onnx;
import org.peft4j.export.Exported;
import org.peft4j.export.Exporter;
import org.peft4j.export.GraphPass;
import org.peft4j.export.Half;
import org.peft4j.export.Profile;
import org.peft4j.export.WeightOnly;
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
      paramLabel = "PATH",
      description =
          "Where to write: a graph, such as m.onnx, or a folder that also gets the configuration and"
              + " the tokenizer; there, a model with an encoder becomes three graphs.")
  private Path out = Path.of("");

  @Option(
      names = "--profile",
      defaultValue = "standard",
      paramLabel = "NAME",
      description =
          "standard: ONNX's own operators, for any runtime; ort: ONNX Runtime's too, which are"
              + " faster there; default ${DEFAULT-VALUE}.")
  private String profile = "standard";

  @Option(
      names = "--quantize",
      paramLabel = "TYPE",
      description =
          "Store weights as int4 or int8 in blocks, for ONNX Runtime alone, or as fp16 and compute"
              + " products so.")
  private @Nullable String quantize;

  @Option(
      names = "--no-cache",
      description =
          "Let a language model read whole texts, without keys and values of earlier tokens.")
  private boolean noCache;

  @Option(
      names = "--genai",
      description = "Write genai_config.json too, for onnxruntime-genai; needs a folder.")
  private boolean genai;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Override
  public Integer call() {
    Exporter exporter =
        (options.adapter == null ? Onnx.of(options.load()) : Onnx.of(options.tuned()))
            .profile(Profile.of(profile))
            .cache(!noCache)
            .types(types());
    boolean graph = out.getFileName().toString().endsWith(".onnx");
    if (genai && graph) {
      throw new IllegalArgumentException("--genai\nexpected: a folder for --out\nfound: " + out);
    }
    Exported exported = graph ? exporter.write(out) : exporter.writeFolder(out);
    if (genai) {
      exporter.writeGenAi(out);
    }
    Comparison comparison = exported.validate();
    if (json) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("out", out.toString());
      line.put("nodes", (long) exported.nodes());
      line.put("opset", (long) exported.opset());
      line.put("profile", profile);
      if (quantize != null) {
        line.put("quantize", quantize);
        line.put(
            "weight_error",
            exported.graphs().stream().mapToDouble(g -> g.loss().rootMeanSquare()).max().orElse(0));
      }
      line.put("max_abs_difference", comparison.largestDifference());
      JsonLine.print(line);
    } else {
      exported.graphs().forEach(System.out::println);
      if (quantize != null) {
        exported.graphs().forEach(g -> System.out.println(g.loss()));
      }
      System.out.println(comparison);
    }
    return 0;
  }

  private GraphPass[] types() {
    if (quantize == null) {
      return new GraphPass[0];
    }
    List<GraphPass> passes =
        switch (quantize) {
          case "int4" -> WeightOnly.mixed();
          case "int8" -> List.of(WeightOnly.int8());
          case "fp16" -> List.of(Half.of());
          default ->
              throw new IllegalArgumentException(
                  "--quantize\nexpected: int4, int8 or fp16\nfound: \"" + quantize + "\"");
        };
    return passes.toArray(GraphPass[]::new);
  }
}
