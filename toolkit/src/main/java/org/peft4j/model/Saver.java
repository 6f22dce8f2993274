package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.AtomicFiles;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;

/** Models as Hugging Face directories: config.json, model.safetensors, tokenizer.json. */
final class Saver {
  private static final long SHARD_BYTES = 5_000_000_000L;

  private Saver() {}

  static void save(Pretrained model, Path dir) {
    Map<String, @Nullable Object> config = new LinkedHashMap<>(Loader.configToWrite(model));
    Map<String, NDArray> tensors = model.tensors();
    if (Boolean.TRUE.equals(config.get("tie_word_embeddings"))
        && tensors.containsKey("lm_head.weight")) {
      config.put(
          "tie_word_embeddings", false); // an adapter that acted on one of the two has untied them
    }
    try {
      Files.createDirectories(dir);
      Safetensors.writeSharded(
          dir,
          tensors.entrySet().stream()
              .map(e -> Safetensors.Entry.of(e.getKey(), e.getValue()))
              .toList(),
          SHARD_BYTES,
          Map.of("format", "pt"));
      if (model.hasTokenizer()) {
        AtomicFiles.writeString(dir.resolve("tokenizer.json"), model.tokenizer().json());
      }
      AtomicFiles.writeString(dir.resolve("config.json"), Json.format(config) + "\n");
    } catch (IOException e) {
      throw new UncheckedIOException(dir + ": cannot be written: " + e.getMessage(), e);
    }
  }
}
