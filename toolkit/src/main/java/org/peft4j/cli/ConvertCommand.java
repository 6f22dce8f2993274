package org.peft4j.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.Models;
import org.peft4j.model.Dtype;
import org.peft4j.model.Pretrained;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Writes a model in another form. */
@Command(
    name = "convert",
    description =
        "Write a model, tokenizer included, as a Hugging Face directory or as a GGUF file.",
    mixinStandardHelpOptions = true)
final class ConvertCommand implements Callable<Integer> {
  @Option(
      names = "--model",
      required = true,
      paramLabel = "X",
      description = "A Hugging Face directory, a GGUF file, hub:org/name, or minilm.")
  private String model = "";

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR|FILE.gguf",
      description = "Where to write it: a GGUF file if it ends in .gguf, else a directory.")
  private Path out = Path.of("");

  @Option(
      names = "--dtype",
      paramLabel = "T",
      defaultValue = "f32",
      description =
          "What weights are stored as: f32, f16, bf16; GGUF also q8_0, q4_0. Default f32.")
  private Dtype dtype = Dtype.F32;

  @Option(
      names = "--shard-bytes",
      paramLabel = "N",
      defaultValue = "5000000000",
      description = "Weight files of a directory are split beyond this size. Default 5 GB.")
  private long shardBytes;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Override
  public Integer call() {
    try (Pretrained loaded = Models.load(model)) {
      loaded.save(out, dtype, shardBytes);
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("out", out.toString());
      line.put("dtype", dtype.toString());
      line.put("parameters", loaded.parameters());
      if (json) {
        JsonLine.print(line);
      } else {
        System.out.println(loaded + "\n-> " + out + " (" + dtype + ")");
      }
    }
    return 0;
  }
}
