package org.peft4j.cli;

import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.peft4j.model.Dtype;
import org.peft4j.tensor.Torch;
import picocli.CommandLine.Option;

/** What timings of whole models are asked for. */
final class SpeedOptions {
  @Option(
      names = "--model",
      paramLabel = "DIR",
      description =
          "A Hugging Face folder with one model.safetensors; default a Llama of SmolLM2-135M's shape"
              + " with random weights.")
  @Nullable Path model;

  @Option(
      names = "--keep-as",
      defaultValue = "f32",
      paramLabel = "TYPE",
      description = "f32 or bf16, here and there; default ${DEFAULT-VALUE}.")
  Dtype keepAs = Dtype.F32;

  @Option(
      names = "--python",
      paramLabel = "FILE",
      description = "A Python interpreter with transformers, to time the same beside.")
  @Nullable Path python;

  @Option(
      names = "--runs",
      defaultValue = "5",
      description = "Timed runs of each in a round; default ${DEFAULT-VALUE}.")
  int runs;

  @Option(
      names = "--rounds",
      defaultValue = "2",
      description = "Rounds, here and there in turn; default ${DEFAULT-VALUE}.")
  int rounds;

  @Option(
      names = "--threads",
      defaultValue = "2",
      description = "Threads, here and there; default ${DEFAULT-VALUE}.")
  private int threads;

  /** The model's folder: the user's, or one that is written into {@code scratch}. */
  Path folder(Path scratch) {
    Torch.threads(threads);
    if (model != null) {
      return model;
    }
    Path folder = scratch.resolve("model");
    SmallLanguageModel.write(folder);
    return folder;
  }

  String[] arguments(String what, Path folder, String... more) {
    String[] fixed = {
      what,
      folder.toString(),
      "--runs",
      String.valueOf(runs),
      "--dtype",
      keepAs.toString().toLowerCase(Locale.ROOT),
      "--threads",
      String.valueOf(threads)
    };
    String[] all = java.util.Arrays.copyOf(fixed, fixed.length + more.length);
    System.arraycopy(more, 0, all, fixed.length, more.length);
    return all;
  }

  int threads() {
    return threads;
  }
}
