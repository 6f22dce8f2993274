package org.peft4j.model;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;

/**
 * How a directory of sentence-transformers pools: {@code modules.json} names the steps after the
 * model, {@code 1_Pooling/config.json} says which pooling. Poolings other than the mean and the
 * first token, and further layers, are not known here: such a model gives hidden states.
 */
final class SentencePooling {
  private static final String MODULES = "modules.json";

  private SentencePooling() {}

  /** The configuration with the pooling that the directory tells, if it tells one that is known. */
  static Config read(Path dir, Config config) throws IOException {
    Path modules = dir.resolve(MODULES);
    if (config.object(Loader.OWN) != null || !Files.isRegularFile(modules)) {
      return config;
    }
    Pooling pooling = pooling(dir, Json.parse(Files.readString(modules), modules.toString()));
    if (pooling == null) {
      return config;
    }
    Map<String, @Nullable Object> own = new LinkedHashMap<>();
    own.put("task", "features");
    own.put("pooling", pooling.toString());
    return config.with(Loader.OWN, own);
  }

  /** Tokens after which sentence-transformers cuts a text; null where it does not say. */
  static @Nullable Integer maxLength(Path dir) throws IOException {
    Path file = dir.resolve("sentence_bert_config.json");
    if (!Files.isRegularFile(file)) {
      return null;
    }
    Config config = new Config(file.toString(), Json.read(file));
    return config.values().get("max_seq_length") == null ? null : config.size("max_seq_length");
  }

  private static @Nullable Pooling pooling(Path dir, @Nullable Object modules) throws IOException {
    Pooling found = null;
    for (Object o : modules instanceof List<?> list ? list : List.of()) {
      String type = o instanceof Map<?, ?> m ? String.valueOf(m.get("type")) : "";
      if (type.endsWith(".Pooling") && o instanceof Map<?, ?> m) {
        Path file = dir.resolve(String.valueOf(m.get("path"))).resolve("config.json");
        found = pooling(new Config(file.toString(), Json.read(file)));
      } else if (!type.endsWith(".Transformer") && !type.endsWith(".Normalize")) {
        return null;
      }
    }
    return found;
  }

  private static @Nullable Pooling pooling(Config config) {
    List<String> modes = new ArrayList<>();
    config
        .values()
        .forEach(
            (key, value) -> {
              if (key.startsWith("pooling_mode_") && Boolean.TRUE.equals(value)) {
                modes.add(key);
              }
            });
    if (modes.equals(List.of("pooling_mode_cls_token"))) {
      return Pooling.CLS;
    }
    return modes.equals(List.of("pooling_mode_mean_tokens")) ? Pooling.MEAN : null;
  }
}
