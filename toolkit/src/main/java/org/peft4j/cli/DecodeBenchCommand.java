package org.peft4j.cli;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.peft4j.Models;
import org.peft4j.format.AtomicFiles;
import org.peft4j.generate.Decoder;
import org.peft4j.model.Dtype;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** How long one token takes, against the time that reading all weights once takes. */
@Command(
    name = "decode",
    description =
        "Time tokens of a language model one after the other, one text, beside how fast the machine"
            + " reads memory.",
    mixinStandardHelpOptions = true)
final class DecodeBenchCommand implements Callable<Integer> {
  private static final String OURS = "peft4j";
  private static final String MEMORY = "reading as many bytes of memory";

  @Mixin private SpeedOptions options = new SpeedOptions();

  @Option(
      names = "--past",
      defaultValue = "16",
      description = "Tokens of the prompt; default ${DEFAULT-VALUE}.")
  private int past;

  @Option(
      names = "--tokens",
      defaultValue = "48",
      description = "Tokens of a run; default ${DEFAULT-VALUE}.")
  private int tokens;

  @Option(names = "--prepack", description = "Lay bf16 weights out for fast products first, here.")
  private boolean prepack;

  @Override
  public Integer call() throws IOException {
    Path scratch = Files.createTempDirectory("peft4j-bench");
    try {
      Path folder = options.folder(scratch);
      double bytes = Files.size(folder.resolve("model.safetensors"));
      bytes /= options.keepAs == Dtype.BF16 ? 2 : 1;
      Times times = new Times(bytes);
      for (int round = 0; round < options.rounds; round++) {
        here(folder, bytes, times);
        if (options.python != null) {
          String[] arguments =
              options.arguments(
                  "decode",
                  folder,
                  "--past",
                  String.valueOf(past),
                  "--tokens",
                  String.valueOf(tokens));
          TransformersTimes.of(options.python, arguments)
              .forEach((what, runs) -> times.add("transformers, " + what, runs));
        }
      }
      System.out.printf(
          Locale.ROOT,
          "a token behind %d to %d, weights of %.0f MB (%s), %d threads, medians of %d runs%n%s%n"
              + "%.2f of what memory allows%n",
          past,
          past + tokens,
          bytes / 1e6,
          options.keepAs,
          options.threads(),
          options.rounds * options.runs,
          times,
          times.median(MEMORY) / times.median(OURS));
    } finally {
      AtomicFiles.deleteTree(scratch);
    }
    return 0;
  }

  private void here(Path folder, double bytes, Times times) {
    long[] prompt = new long[past];
    Arrays.setAll(prompt, i -> 100 + (i * 7919L) % 5000);
    try (Pretrained model = Models.load(folder, options.keepAs)) {
      if (prepack) {
        model.prepack();
      }
      for (int i = -1; i < options.runs; i++) {
        try (Decoder decoder = Decoder.of(model, new long[][] {prompt}, 0)) {
          decoder.begin();
          long start = System.nanoTime();
          for (int t = 0; t < tokens; t++) {
            largest(decoder.read(new long[][] {{100}})[0]);
          }
          if (i >= 0) {
            times.add(OURS, (System.nanoTime() - start) / 1e9 / tokens);
          }
        }
      }
    }
    times.add(MEMORY, memory(bytes));
  }

  private static int largest(float[] scores) {
    int best = 0;
    for (int i = 1; i < scores.length; i++) {
      best = scores[i] > scores[best] ? i : best;
    }
    return best;
  }

  /** Seconds to read that many bytes once, by all threads: sums of a large array. */
  private double[] memory(double bytes) {
    double[] seconds = new double[options.runs];
    try (NDManager manager = Torch.newManager();
        NDArray all = manager.ones(new Shape((long) (bytes / Float.BYTES)), DataType.FLOAT32)) {
      for (int i = -1; i < options.runs; i++) {
        try (Scope scope = Scope.open()) {
          long start = System.nanoTime();
          all.sum().getFloat();
          if (i >= 0) {
            seconds[i] = (System.nanoTime() - start) / 1e9;
          }
        }
      }
    }
    return seconds;
  }
}
