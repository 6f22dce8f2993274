package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Gguf;
import org.peft4j.format.GgufFile;
import org.peft4j.format.GgufMetadata;
import org.peft4j.format.GgufValue;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/**
 * A LoRA as a GGUF file of its own, as llama.cpp takes it beside a model ({@code --lora}). There
 * {@code W = W0 + alpha / r * B A} at every module, r the rank that the module's factors have.
 *
 * @param alpha numerator of the scale, the same at all modules; not 0, which llama.cpp takes for no
 *     scale at all
 * @param factors of the modules, in any order
 */
public record GgufLora(double alpha, List<Factors> factors) {
  private static final String TYPE = "general.type";
  private static final String ARCHITECTURE = "general.architecture";
  private static final String KIND = "adapter.type";
  private static final String ALPHA = "adapter.lora.alpha";
  private static final String INVOCATION = "adapter.alora.invocation_tokens";
  private static final String LORA = "lora";
  private static final String A = ".lora_a";
  private static final String B = ".lora_b";
  private static final String TOKENS = "token_embd.weight";
  private static final int BLOCK = 32;

  public GgufLora {
    factors = List.copyOf(factors);
  }

  /**
   * The factors of one module, float32.
   *
   * @param path of the module as Hugging Face writes it
   * @param a {@code [r, in]}; of token embeddings {@code [r, vocabulary]}
   * @param b {@code [out, r]}; of token embeddings {@code [hidden, r]}
   */
  public record Factors(String path, NDArray a, NDArray b) {}

  /** What tells the files of one model from those of another. */
  private static final class Layout {
    final GgufLayout names;
    final int heads;
    final int groups;

    Layout(Pretrained model) {
      Config config = new Config(model.name(), Loader.configToWrite(model));
      names = GgufLayout.ofModel(config.modelType(), model.name());
      heads = config.size("num_attention_heads", "n_head");
      groups = config.sizeOr(heads, "num_key_value_heads");
    }

    int parts(String hf) {
      return names.permutedHeads(hf, heads, groups);
    }

    /** B with its rows as the file has them, or back. */
    NDArray rows(String hf, NDArray b, boolean toGguf) {
      int parts = parts(hf);
      return parts > 0 ? GgufTensors.rows(b, parts, toGguf) : b;
    }
  }

  // ---- writing
  // -------------------------------------------------------------------------------------------------------------

  /**
   * Writes it for {@code model}, the base.
   *
   * @param dtype of the factors; those whose rows are no whole blocks stay in 16 bits where a
   *     packed type is asked for
   * @throws IllegalArgumentException for an architecture that GGUF files are not written of, or
   *     modules that these have no name for
   */
  public void write(Pretrained model, Path file, Dtype dtype) {
    Layout layout = new Layout(model);
    List<Gguf.Entry> entries = new ArrayList<>();
    List<String> unknown = new ArrayList<>();
    for (Factors f : factors) {
      String hf = f.path + ".weight";
      String name = layout.names.gguf(hf);
      if (name == null) {
        unknown.add(f.path);
        continue;
      }
      boolean tokens = name.equals(TOKENS);
      Shape a = tokens ? Weights.transposed(f.a.getShape()) : f.a.getShape();
      entries.add(
          new Gguf.Entry(
              name + A, type(dtype, a), a, () -> tokens ? Weights.transposed(f.a) : f.a));
      Shape b = f.b.getShape();
      entries.add(new Gguf.Entry(name + B, type(dtype, b), b, () -> layout.rows(hf, f.b, true)));
    }
    if (!unknown.isEmpty()) {
      throw new IllegalArgumentException(
          file
              + ": modules that GGUF has no names for in "
              + layout.names.architecture()
              + "\nfound: "
              + String.join(", ", unknown.subList(0, Math.min(5, unknown.size()))));
    }
    Map<String, GgufValue> keys = new LinkedHashMap<>();
    keys.put(ARCHITECTURE, GgufValue.text(layout.names.architecture()));
    keys.put(TYPE, GgufValue.text("adapter"));
    keys.put(KIND, GgufValue.text(LORA));
    keys.put("general.name", GgufValue.text(model.name()));
    keys.put("general.file_type", GgufValue.uint32(dtype.fileType()));
    keys.put(ALPHA, GgufValue.float32(alpha));
    keys.put("general.quantization_version", GgufValue.uint32(2));
    try {
      Gguf.write(file, keys, entries);
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be written: " + e.getMessage(), e);
    }
  }

  private static String type(Dtype dtype, Shape shape) {
    boolean whole = shape.get(1) % BLOCK == 0;
    return (dtype.packed() && !whole ? Dtype.F16 : dtype).name();
  }

  // ---- reading
  // -------------------------------------------------------------------------------------------------------------

  /** Whether an open file says of itself that it is no model but an adapter. */
  static boolean isAdapter(GgufMetadata metadata) {
    return "adapter".equals(metadata.text(TYPE));
  }

  /**
   * Reads a file that was made for {@code model}. Gains of norms are left out, as llama.cpp leaves
   * them out.
   *
   * @param owner gets the factors
   * @throws IllegalArgumentException for a file of another kind or architecture, and for one whose
   *     tensors are no pairs of factors, with all of these
   */
  public static GgufLora read(Pretrained model, Path file, NDManager owner) {
    Layout layout = new Layout(model);
    try (GgufFile open = Gguf.open(file)) {
      double alpha = alpha(open.metadata(), layout.names);
      List<String> problems = new ArrayList<>();
      List<Factors> factors = new ArrayList<>();
      for (String stem : stems(open.names(), problems)) {
        String hf = layout.names.hf(stem);
        String problem = hf == null ? "unknown " + stem : pair(open, stem, layout.parts(hf));
        if (problem != null) {
          problems.add(problem);
        } else if (hf != null) {
          factors.add(factors(open, layout, stem, hf, owner));
        }
      }
      if (!problems.isEmpty()) {
        throw new IllegalArgumentException(
            file
                + ": not the factors of a LoRA for "
                + layout.names.architecture()
                + "\n"
                + String.join("\n", problems)
                + "\nfix: make it again from the adapter's directory");
      }
      return new GgufLora(alpha, factors);
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  private static double alpha(GgufMetadata metadata, GgufLayout layout) {
    if (!isAdapter(metadata)) {
      throw metadata.wrong(TYPE, "adapter: this file is a model, and loads as one");
    }
    if (!LORA.equals(metadata.text(KIND))) {
      throw metadata.wrong(KIND, LORA);
    }
    if (!layout.architecture().equals(metadata.text(ARCHITECTURE))) {
      throw metadata.wrong(
          ARCHITECTURE, layout.architecture() + ", which the model is that it is loaded onto");
    }
    if (metadata.has(INVOCATION)) {
      throw metadata.wrong(INVOCATION, "no such key: LoRAs that wait for a token are not known");
    }
    Double alpha = metadata.number(ALPHA);
    return alpha == null ? 0 : alpha;
  }

  /** Names of the matrices that are adapted. */
  private static Set<String> stems(Set<String> names, List<String> problems) {
    Set<String> stems = new TreeSet<>();
    for (String name : names) {
      if (name.endsWith(A) || name.endsWith(B)) {
        stems.add(name.substring(0, name.length() - A.length()));
      } else if (!name.endsWith("_norm.weight")) {
        problems.add("unknown " + name);
      }
    }
    return stems;
  }

  /** What is wrong with a pair of factors, or null. */
  private static @Nullable String pair(GgufFile file, String stem, int heads) {
    if (!file.names().contains(stem + A) || !file.names().contains(stem + B)) {
      return "missing " + stem + (file.names().contains(stem + A) ? B : A);
    }
    Shape a = file.info(stem + A).shape();
    Shape b = file.info(stem + B).shape();
    boolean matrices = a.dimension() == 2 && b.dimension() == 2;
    if (!matrices || a.get(stem.equals(TOKENS) ? 1 : 0) != b.get(1)) {
      return stem + ": expected A [r, in] and B [out, r], found " + a + " and " + b;
    }
    return heads > 0 && b.get(0) % (2L * heads) != 0
        ? stem + ": expected as many rows in B for each of " + heads + " heads, found " + b
        : null;
  }

  private static Factors factors(
      GgufFile file, Layout layout, String stem, String hf, NDManager owner) {
    try (Scope scope = Scope.open();
        NDManager temporary = Torch.newManager()) {
      NDArray a = file.load(stem + A, temporary).toType(DataType.FLOAT32, false);
      NDArray b = file.load(stem + B, temporary).toType(DataType.FLOAT32, false);
      String path = hf.substring(0, hf.lastIndexOf('.'));
      return new Factors(
          path,
          kept(owner, stem.equals(TOKENS) ? Weights.transposed(a) : a),
          kept(owner, layout.rows(hf, b, false)));
    }
  }

  private static NDArray kept(NDManager owner, NDArray array) {
    return Scope.giveTo(owner, Buffers.copyOf(owner, array));
  }
}
