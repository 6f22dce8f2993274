package org.peft4j.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.Onnx;
import org.peft4j.Tuned;
import org.peft4j.adapter.PeftModel;
import org.peft4j.export.Exported;
import org.peft4j.export.Exporter;
import org.peft4j.export.GraphPass;
import org.peft4j.export.Half;
import org.peft4j.export.Profile;
import org.peft4j.export.WeightOnly;
import org.peft4j.onnx.Comparison;
import org.peft4j.onnx.OnnxAdapter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Writes a model as ONNX and holds the file against the model. */
@Command(
    name = "export",
    description = {
      "Write a model (with its adapter merged in) as ONNX, and check the file in ONNX Runtime.",
      "Or, with --swap, the model with places for adapters, and these beside it; or, where --out ends"
          + " in .onnx_adapter, the adapter alone, for a graph that has places for it."
    },
    mixinStandardHelpOptions = true)
final class ExportCommand implements Callable<Integer> {
  @Mixin private ModelOptions options = new ModelOptions();
  @Mixin private SwapOptions swap = new SwapOptions();

  @Option(
      names = "--out",
      required = true,
      paramLabel = "PATH",
      description =
          "Where to write: a graph, such as m.onnx, or a folder that also gets the configuration and"
              + " the tokenizer; there, a model with an encoder becomes three graphs. Or an adapter,"
              + " such as mine.onnx_adapter.")
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
    check();
    if (ends(SwapOptions.ENDING)) {
      print(Onnx.adapter(options.tuned(), PeftModel.DEFAULT, out));
      return 0;
    }
    if (!swap.wanted()) {
      Exporter plain = options.adapter == null ? Onnx.of(options.load()) : Onnx.of(options.tuned());
      print(write(plain), List.of());
      return 0;
    }
    try (Tuned tuned = swap.on(options.load())) {
      Exported exported = write(Onnx.withAdapters(tuned));
      Path folder = ends(".onnx") ? Objects.requireNonNull(out.toAbsolutePath().getParent()) : out;
      print(exported, swap.write(tuned, folder));
    }
    return 0;
  }

  private boolean ends(String ending) {
    return String.valueOf(out.getFileName()).endsWith(ending);
  }

  /** What cannot be together is refused before anything is loaded. */
  private void check() {
    if (genai && ends(".onnx")) {
      throw new IllegalArgumentException("--genai\nexpected: a folder for --out\nfound: " + out);
    }
    if (swap.wanted() && options.adapter != null) {
      throw new IllegalArgumentException(
          "--adapter is merged, --swap is not\nexpected: one of the two\nfound: both"
              + "\nfix: merge first, by peft merge, and export what that wrote");
    }
    if (ends(SwapOptions.ENDING) && (swap.wanted() || genai || noCache || quantize != null)) {
      throw new IllegalArgumentException(
          "--out "
              + out
              + "\nexpected: --model and --adapter alone, for a file of an adapter\nfound: options of"
              + " graphs beside them");
    }
    types();
    Profile.of(profile);
  }

  private Exported write(Exporter plain) {
    Exporter exporter = plain.profile(Profile.of(profile)).cache(!noCache).types(types());
    Exported exported = ends(".onnx") ? exporter.write(out) : exporter.writeFolder(out);
    if (genai) {
      exporter.writeGenAi(out);
    }
    return exported;
  }

  private void print(OnnxAdapter adapter) {
    if (json) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("out", out.toString());
      line.put("tensors", (long) adapter.tensors().size());
      JsonLine.print(line);
    } else {
      System.out.println(adapter);
    }
  }

  private void print(Exported exported, List<OnnxAdapter> adapters) {
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
      if (swap.wanted()) {
        line.put("adapters", adapters.stream().map(a -> a.file().toString()).toList());
      }
      JsonLine.print(line);
    } else {
      exported.graphs().forEach(System.out::println);
      if (quantize != null) {
        exported.graphs().forEach(g -> System.out.println(g.loss()));
      }
      System.out.println(comparison);
      adapters.forEach(System.out::println);
    }
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
