package org.peft4j.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.adapter.Conversion;
import org.peft4j.adapter.PeftModel;
import org.peft4j.format.Gguf;
import org.peft4j.model.Dtype;
import org.peft4j.model.Pretrained;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Writes a model, or an adapter, in another form. */
@Command(
    name = "convert",
    description = {
      "Write a model, tokenizer included, as a Hugging Face directory or as a GGUF file.",
      "With --adapter, write the adapter alone: a LoRA in a GGUF file is what llama.cpp takes as"
          + " --lora; --rank makes a LoRA of what is none."
    },
    mixinStandardHelpOptions = true)
final class ConvertCommand implements Callable<Integer> {
  private static final String GIVEN = "given";

  @Option(
      names = "--model",
      required = true,
      paramLabel = "X",
      description = "A Hugging Face directory, a GGUF file, hub:org/name, or minilm.")
  private String model = "";

  @Option(
      names = "--adapter",
      paramLabel = "DIR|FILE.gguf",
      description = "Write this adapter of the model, not the model.")
  private @Nullable Path adapter;

  @Option(
      names = "--rank",
      paramLabel = "N",
      description = "Approximate the adapter by a LoRA of at most this rank first.")
  private @Nullable Integer rank;

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
    if (adapter == null && rank != null) {
      throw new IllegalArgumentException("--rank\nexpected: with --adapter\nfound: without");
    }
    try (Pretrained loaded = Models.load(model)) {
      if (adapter == null) {
        loaded.save(out, dtype, shardBytes);
        Map<String, @Nullable Object> line = new LinkedHashMap<>();
        line.put("out", out.toString());
        line.put("dtype", dtype.toString());
        line.put("parameters", loaded.parameters());
        print(line, loaded + "\n-> " + out + " (" + dtype + ")");
      } else {
        convert(loaded, adapter);
      }
    }
    return 0;
  }

  private void convert(Pretrained base, Path adapter) {
    if (!Gguf.named(out) && dtype != Dtype.F32) {
      throw new IllegalArgumentException(
          "--dtype\nexpected: f32 for an adapter's directory\nfound: " + dtype);
    }
    try (Tuned tuned = Peft.load(base, adapter, rank == null ? PeftModel.DEFAULT : GIVEN)) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("out", out.toString());
      String kept = "";
      if (rank != null) {
        Conversion.Report report = tuned.convertToLora(PeftModel.DEFAULT, rank);
        tuned.delete(GIVEN);
        line.put("least_energy", report.leastEnergy());
        kept = report + "\n";
      }
      if (Gguf.named(out)) {
        tuned.saveGguf(out, dtype);
        line.put("dtype", dtype.toString());
      } else {
        tuned.save(out);
      }
      line.put("parameters", tuned.trainableParameters());
      print(line, kept + tuned + "\n-> " + out);
    }
  }

  private void print(Map<String, @Nullable Object> line, String text) {
    if (json) {
      JsonLine.print(line);
    } else {
      System.out.println(text);
    }
  }
}
