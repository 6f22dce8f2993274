package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Gguf;
import org.peft4j.format.GgufValue;
import org.peft4j.tensor.Buffers;

/** Models as GGUF files that llama.cpp reads. */
final class GgufSaver {
  private static final int BLOCK = 32;

  private final Pretrained model;
  private final Config config;
  private final GgufLayout layout;
  private final Dtype dtype;
  private final int heads;
  private final int groups;

  private GgufSaver(Pretrained model, Config config, GgufLayout layout, Dtype dtype) {
    this.model = model;
    this.config = config;
    this.layout = layout;
    this.dtype = dtype;
    heads = config.size("num_attention_heads", "n_head");
    groups = config.sizeOr(heads, "num_key_value_heads");
  }

  static void save(Pretrained model, Path file, Dtype dtype) {
    Config config = new Config(model.name(), Loader.configToWrite(model));
    GgufLayout layout = GgufLayout.ofModel(config.modelType(), model.name());
    if (model.task() != Task.CAUSAL_LM) {
      throw new IllegalArgumentException(
          model.name()
              + ": a GGUF file\nexpected: a causal language model\nfound: "
              + model.task());
    }
    try {
      new GgufSaver(model, config, layout, dtype).write(file);
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be written: " + e.getMessage(), e);
    }
  }

  private void write(Path file) throws IOException {
    Map<String, GgufValue> keys =
        new LinkedHashMap<>(GgufKeys.of(model.name(), config, layout, dtype));
    if (model.hasTokenizer()) {
      keys.putAll(GgufKeys.of(model.tokenizer().ggml(), config));
    }
    Map<String, NDArray> tensors = model.stored();
    List<String> unknown = tensors.keySet().stream().filter(n -> layout.gguf(n) == null).toList();
    if (!unknown.isEmpty()) {
      throw new IllegalArgumentException(
          model.name()
              + ": tensors that GGUF has no names for in "
              + layout.architecture()
              + "\nfound: "
              + String.join(", ", unknown.subList(0, Math.min(5, unknown.size())))
              + "\nfix: merge adapters first");
    }
    List<Gguf.Entry> entries = new ArrayList<>();
    Gguf.Entry factors = ropeFactors(tensors.values().iterator().next().getManager());
    if (factors != null) {
      entries.add(factors);
    }
    boolean tied = !tensors.containsKey("lm_head.weight");
    tensors.forEach((name, array) -> entries.add(entry(name, array, tied)));
    Gguf.write(file, keys, entries);
  }

  private Gguf.Entry entry(String hf, NDArray kept, boolean tied) {
    String name = String.valueOf(layout.gguf(hf));
    Shape shape = kept.getShape();
    int parts = layout.permutedHeads(hf, heads, groups);
    return new Gguf.Entry(
        name,
        type(name, shape, tied).name(),
        shape,
        () -> {
          NDArray array = Pretrained.dense(kept);
          return parts > 0 ? GgufTensors.rows(array, parts, true) : array;
        });
  }

  /**
   * As llama.cpp's converter chooses: vectors and position embeddings stay float32; of a file in
   * four bits, scores are made in eight; rows that are not whole blocks stay in 16 bits.
   */
  private Dtype type(String name, Shape shape, boolean tied) {
    if (shape.dimension() < 2 || name.startsWith("position_embd")) {
      return Dtype.F32;
    }
    if (!dtype.packed()) {
      return dtype;
    }
    if (shape.get(shape.dimension() - 1) % BLOCK != 0) {
      return Dtype.F16;
    }
    boolean scores = name.equals(tied ? "token_embd.weight" : "output.weight");
    return scores ? Dtype.Q8_0 : dtype;
  }

  private Gguf.@Nullable Entry ropeFactors(NDManager manager) {
    Config scaling = GgufKeys.ropeScaling(config);
    if (scaling == null || !GgufKeys.ropeType(scaling).equals("llama3")) {
      return null;
    }
    int headSize = config.sizeOr(config.size("hidden_size") / heads, "head_dim");
    float[] factors = RopeFactors.of(scaling, GgufKeys.ropeBase(config), headSize);
    Shape shape = new Shape(factors.length);
    return new Gguf.Entry(
        GgufLayout.ROPE_FACTORS,
        Dtype.F32.name(),
        shape,
        () -> Buffers.create(manager, factors, shape));
  }
}
