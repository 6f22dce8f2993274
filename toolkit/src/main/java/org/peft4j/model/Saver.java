package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.AtomicFiles;
import org.peft4j.format.Gguf;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.tensor.Bfloat16;
import org.peft4j.text.ChatSource;
import org.peft4j.text.GgmlVocabulary;
import org.peft4j.text.Tokenizer;

/** Models as Hugging Face directories: config.json, model.safetensors, tokenizer.json. */
final class Saver {
  static final long SHARD_BYTES = 5_000_000_000L;

  private static final String MEAN = ".running_mean";

  private Saver() {}

  /**
   * Saves a model.
   *
   * @param dtype of the float32 weights in the file; null keeps them as they are
   * @param shardBytes a weight file that would grow beyond this is split
   */
  static void save(Pretrained model, Path dir, @Nullable Dtype dtype, long shardBytes) {
    if (dtype != null && dtype.packed()) {
      throw new IllegalArgumentException(
          dir + ": dtype\nexpected: one of [f32, f16, bf16] for a directory\nfound: " + dtype);
    }
    Map<String, @Nullable Object> config = new LinkedHashMap<>(Loader.configToWrite(model));
    Map<String, NDArray> tensors = model.stored();
    Architecture architecture = Architectures.of(new Config(model.name(), config));
    if (Loader.tied(new Config(model.name(), config), architecture)
        && tensors.containsKey("lm_head.weight")) {
      if (model.task() == Task.SEQ2SEQ_LM) {
        config.put("scale_decoder_outputs", Seq2SeqHead.scaled(new Config(dir.toString(), config)));
      }
      config.put(
          "tie_word_embeddings", false); // an adapter that acted on one of the two has untied them
    }
    noteDtype(config, dtype);
    try {
      Files.createDirectories(dir);
      Safetensors.writeSharded(
          dir,
          tensors.entrySet().stream()
              .flatMap(
                  e ->
                      Stream.concat(
                          split(architecture, entry(architecture, e.getKey(), e.getValue(), dtype)),
                          counter(e.getKey(), e.getValue())))
              .toList(),
          shardBytes,
          Map.of("format", "pt"));
      if (model.hasTokenizer()) {
        saveTokenizer(model.tokenizer(), dir);
      }
      AtomicFiles.writeString(dir.resolve("config.json"), Json.format(config) + "\n");
    } catch (IOException e) {
      throw new UncheckedIOException(dir + ": cannot be written: " + e.getMessage(), e);
    }
  }

  /** Writes what belongs to a model beside its weights. */
  static void saveFacts(Pretrained model, Path dir) {
    try {
      if (model.hasTokenizer()) {
        saveTokenizer(model.tokenizer(), dir);
      }
      AtomicFiles.writeString(
          dir.resolve("config.json"), Json.format(Loader.configToWrite(model)) + "\n");
    } catch (IOException e) {
      throw new UncheckedIOException(dir + ": cannot be written: " + e.getMessage(), e);
    }
  }

  /** Running means have a count of batches beside them, which nobody asks for again. */
  private static Stream<Safetensors.Entry> counter(String path, NDArray array) {
    return path.endsWith(MEAN)
        ? Stream.of(
            new Safetensors.Entry(
                path.substring(0, path.length() - MEAN.length()) + ".num_batches_tracked",
                "I64",
                new Shape(),
                () -> array.getManager().create(0L)))
        : Stream.empty();
  }

  private static Stream<Safetensors.Entry> split(
      Architecture architecture, Safetensors.Entry entry) {
    ExpertTensors.Names experts = architecture.experts();
    return experts == null ? Stream.of(entry) : ExpertTensors.split(entry, experts).stream();
  }

  private static Safetensors.Entry entry(
      Architecture architecture, String path, NDArray array, @Nullable Dtype dtype) {
    boolean transposed = architecture.transposed(path);
    Safetensors.Entry own = Safetensors.Entry.of(path, array);
    boolean numbers = array.getDataType() == DataType.FLOAT32 || Bfloat16.is(array);
    String type = dtype != null && numbers ? dtype.name() : own.dtype();
    boolean asIs = dtype == null && !transposed;
    return new Safetensors.Entry(
        architecture.fileName(path),
        type,
        transposed ? Weights.transposed(array.getShape()) : array.getShape(),
        () -> {
          NDArray value = asIs ? array : Pretrained.dense(array);
          return transposed ? Weights.transposed(value) : value;
        });
  }

  /** transformers loads weights as what config.json says they are. */
  private static void noteDtype(Map<String, @Nullable Object> config, @Nullable Dtype dtype) {
    boolean old = config.containsKey("torch_dtype");
    if (old || dtype != null || config.containsKey("dtype")) {
      config.put(old ? "torch_dtype" : "dtype", dtype == null ? "float32" : dtype.torch());
    }
  }

  private static void saveTokenizer(Tokenizer tokenizer, Path dir) throws IOException {
    AtomicFiles.writeString(dir.resolve("tokenizer.json"), tokenizer.json());
    Path beside = tokenizer.path().resolveSibling("tokenizer_config.json");
    if (Files.isRegularFile(beside)) {
      for (String name :
          List.of("tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json")) {
        Path file = tokenizer.path().resolveSibling(name);
        if (Files.isRegularFile(file)) {
          AtomicFiles.writeBytes(dir.resolve(name), Files.readAllBytes(file));
        }
      }
      return;
    }
    ChatSource chat = tokenizer.chatSource();
    Map<String, @Nullable Object> config = new LinkedHashMap<>();
    putIfThere(config, "bos_token", chat.bosToken());
    putIfThere(config, "eos_token", chat.eosToken());
    putIfThere(config, "chat_template", chat.template());
    if (Gguf.named(tokenizer.path())) {
      GgmlVocabulary source = tokenizer.ggml();
      putIfThere(config, "pad_token", source.token(source.padding()));
      putIfThere(config, "unk_token", source.token(source.unknown()));
    }
    if (!config.isEmpty()) {
      config.put("tokenizer_class", "PreTrainedTokenizerFast");
      AtomicFiles.writeString(dir.resolve("tokenizer_config.json"), Json.format(config) + "\n");
    }
  }

  private static void putIfThere(
      Map<String, @Nullable Object> map, String key, @Nullable String value) {
    if (value != null) {
      map.put(key, value);
    }
  }
}
