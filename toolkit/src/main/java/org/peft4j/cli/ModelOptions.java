package org.peft4j.cli;

import org.jspecify.annotations.Nullable;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.model.Dtype;
import org.peft4j.model.Pretrained;
import picocli.CommandLine.Option;

/** A model and an adapter on it, as most commands take them. */
final class ModelOptions {
  @Option(
      names = "--model",
      required = true,
      paramLabel = "X",
      description = "A Hugging Face directory, a GGUF file, hub:org/name, or minilm.")
  String model = "";

  @Option(
      names = "--adapter",
      paramLabel = "X",
      description =
          "An adapter in Hugging Face PEFT's format (its directory, or hub:org/name), or a LoRA in a"
              + " GGUF file.")
  @Nullable String adapter;

  @Option(
      names = "--keep-as",
      defaultValue = "f32",
      paramLabel = "TYPE",
      description =
          "What weights are kept as in memory: f32, or bf16 at half the size; default"
              + " ${DEFAULT-VALUE}.")
  private Dtype keepAs = Dtype.F32;

  @Option(
      names = "--prepack",
      description =
          "Lay bf16 weights out for products that take less time, as copies in half precision: two"
              + " bytes more for each weight.")
  private boolean prepack;

  /** The model alone. */
  Pretrained load() {
    Pretrained loaded = Models.load(model, keepAs);
    return prepack ? loaded.prepack() : loaded;
  }

  /** The adapted model; an error without {@code --adapter}. */
  Tuned tuned() {
    if (adapter == null) {
      throw new IllegalArgumentException("--adapter DIR is needed");
    }
    return Peft.load(load(), adapter);
  }
}
