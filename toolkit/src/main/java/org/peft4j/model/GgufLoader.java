package org.peft4j.model;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Gguf;
import org.peft4j.format.GgufFile;
import org.peft4j.tensor.Torch;

/** Models from GGUF files, which hold weights, configuration and tokenizer in one. */
final class GgufLoader {
  private GgufLoader() {}

  static Pretrained load(Path path, Dtype dtype) {
    try (GgufFile file = Gguf.open(path)) {
      if (GgufLora.isAdapter(file.metadata())) {
        throw file.metadata()
            .wrong("general.type", "model: load its base, and this with Peft.load(base, file)");
      }
      String name = path.getFileName().toString().replaceFirst("(?i)\\.gguf$", "");
      GgufLayout layout =
          GgufLayout.named(file.metadata().requireText("general.architecture"), path);
      Long parts = file.metadata().integer("split.count");
      if (parts != null && parts > 1) {
        throw file.metadata()
            .wrong("split.count", "1: join the parts with llama-gguf-split --merge");
      }
      Config config = GgufConfig.read(file, layout, ropeFactors(file));
      int heads = config.size("num_attention_heads", "n_head");
      int groups = config.sizeOr(heads, "num_key_value_heads");
      return Loader.build(
          name,
          config,
          new GgufTensors(file, layout, heads, groups),
          GgufTokenizer.read(file),
          dtype);
    } catch (IOException e) {
      throw new UncheckedIOException(path + ": cannot be read: " + e.getMessage(), e);
    }
  }

  private static float @Nullable [] ropeFactors(GgufFile file) {
    if (!file.names().contains(GgufLayout.ROPE_FACTORS)) {
      return null;
    }
    try (NDManager manager = Torch.newManager()) {
      return file.load(GgufLayout.ROPE_FACTORS, manager)
          .toType(DataType.FLOAT32, false)
          .toFloatArray();
    }
  }
}
