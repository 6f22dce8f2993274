package org.peft4j.model;

import java.util.List;

/** Every architecture, one line each. */
final class Architectures {
  private static final List<Architecture> ALL =
      List.of(
          Bert.ARCHITECTURE,
          Roberta.ARCHITECTURE,
          DistilBert.ARCHITECTURE,
          ModernBert.ARCHITECTURE,
          DebertaV2.ARCHITECTURE,
          Llama.ARCHITECTURE,
          Mistral.ARCHITECTURE,
          Mixtral.ARCHITECTURE,
          Qwen2.ARCHITECTURE,
          Qwen2Moe.ARCHITECTURE,
          Qwen3.ARCHITECTURE,
          Qwen3Moe.ARCHITECTURE,
          SmolLm3.ARCHITECTURE,
          Phi3.ARCHITECTURE,
          Gemma2.ARCHITECTURE,
          Gemma3.ARCHITECTURE,
          GptNeoX.ARCHITECTURE,
          Opt.ARCHITECTURE,
          Gpt2.ARCHITECTURE,
          Gpt3.ARCHITECTURE,
          Vit.ARCHITECTURE,
          ResNet.ARCHITECTURE,
          T5.encoderAlone("t5"),
          T5.architecture("t5"),
          T5.encoderAlone("mt5"),
          T5.architecture("mt5"));

  private Architectures() {}

  static Architecture of(Config config) {
    for (Architecture a : ALL) {
      if (a.fits(config)) {
        return a;
      }
    }
    throw new IllegalArgumentException(
        config.source()
            + ": model_type\nexpected: one of "
            + ALL.stream().map(Architecture::modelType).distinct().toList()
            + "\nfound: "
            + (config.modelType().isEmpty() ? "nothing" : config.modelType()));
  }
}
