package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.peft4j.format.TensorSource;
import org.peft4j.tensor.Scope;

/**
 * The tensors of a GGUF file under Hugging Face's names and in its order of rows. Loading holds one
 * more tensor for a moment where rows change places.
 */
final class GgufTensors implements TensorSource {
  private final TensorSource file;
  private final GgufLayout layout;
  private final int heads;
  private final int groups;
  private final Map<String, String> names = new LinkedHashMap<>(); // HF to GGUF

  /** A view of {@code file}, which stays the caller's to close. */
  GgufTensors(TensorSource file, GgufLayout layout, int heads, int groups) {
    this.file = file;
    this.layout = layout;
    this.heads = heads;
    this.groups = groups;
    List<String> unknown = new ArrayList<>();
    for (String name : file.names()) {
      String hf = layout.hf(name);
      if (hf != null) {
        names.put(hf, name);
      } else if (!name.equals(GgufLayout.ROPE_FACTORS) && !name.contains(".attn_rot_embd.")) {
        unknown.add(name);
      }
    }
    if (!unknown.isEmpty()) {
      throw new IllegalArgumentException(
          file.origin()
              + ": tensors that "
              + layout.architecture()
              + " is not known to have\nfound: "
              + String.join(", ", unknown.subList(0, Math.min(5, unknown.size())))
              + (unknown.size() > 5 ? " and " + (unknown.size() - 5) + " more" : ""));
    }
  }

  @Override
  public Path origin() {
    return file.origin();
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(names.keySet());
  }

  @Override
  public Info info(String name) {
    Info info = file.info(names.getOrDefault(name, name));
    return layout.transposed(name) && info.shape().dimension() == 2
        ? new Info(info.dtype(), Weights.transposed(info.shape()), info.bytes())
        : info;
  }

  @Override
  public NDArray load(String name, NDManager manager) {
    int parts = layout.permutedHeads(name, heads, groups);
    NDArray stored = file.load(names.getOrDefault(name, name), manager);
    if (parts > 0) {
      return replace(stored, rows(stored, parts, false), manager);
    }
    return layout.transposed(name) ? replace(stored, Weights.transposed(stored), manager) : stored;
  }

  private static NDArray replace(NDArray old, NDArray next, NDManager manager) {
    old.close();
    return Scope.giveTo(manager, next);
  }

  /**
   * A new array {@code [heads * size, ...]} whose rows 2 i and 2 i + 1 of a head became i and i +
   * size/2, or the other way round.
   */
  static NDArray rows(NDArray array, int heads, boolean toGguf) {
    Shape shape = array.getShape();
    long half = shape.get(0) / heads / 2;
    long width = shape.size() / shape.get(0);
    try (Scope scope = Scope.open()) {
      Shape split = toGguf ? new Shape(heads, 2, half, width) : new Shape(heads, half, 2, width);
      return scope.keep(array.reshape(split).transpose(0, 2, 1, 3).reshape(shape));
    }
  }

  @Override
  public void close() {
    file.close();
  }
}
