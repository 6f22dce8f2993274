package org.peft4j.model;

import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Paths;
import org.peft4j.spi.Slotted;

/** Makes the tree of modules of a tree of blocks: one module per path. */
final class DescribedBuilder {
  private final Map<String, String> notes;
  private final Module root = new Module("");

  /** Where a tensor was met first, by its parameter's id. */
  private final Map<String, String> owners = new HashMap<>();

  /**
   * A builder.
   *
   * @param notes what to say at a module, or at a parameter, by its path
   */
  DescribedBuilder(Map<String, String> notes) {
    this.notes = notes;
  }

  /** A module while it is being described. */
  private static final class Module {
    final String name;
    final Map<String, Module> inside = new LinkedHashMap<>();
    String what = "";
    String shape = "";
    String dtype = "";
    String note = "";
    long parameters;
    long bytes;

    Module(String name) {
      this.name = name;
    }

    Module child(String segment) {
      return inside.computeIfAbsent(segment, Module::new);
    }

    void add(Parameter p) {
      parameters += shape(p).size();
      bytes += bytes(p);
    }

    Described finished() {
      List<Described> below =
          Described.folded(inside.values().stream().map(Module::finished).toList());
      long all = parameters + below.stream().mapToLong(d -> d.times() * d.parameters()).sum();
      long memory = bytes + below.stream().mapToLong(d -> d.times() * d.bytes()).sum();
      return new Described(name, "", 1, what, shape, dtype, all, memory, note, below);
    }
  }

  Described of(Block block) {
    Paths.blocks(block).forEach(this::add);
    return root.finished();
  }

  private void add(Block block, String path) {
    Module at = root;
    for (String segment : path.isEmpty() ? new String[0] : path.split("\\.")) {
      at = at.child(segment);
    }
    note(at, path);
    if (block instanceof Slotted slot) {
      slot(at, path, slot);
      return;
    }
    if (!block.getClass().getName().startsWith("org.peft4j.")) {
      at.what = block.getClass().getSimpleName();
    }
    Map<String, Parameter> own = new LinkedHashMap<>();
    for (Pair<String, Parameter> p : block.getDirectParameters()) {
      own.put(p.getKey(), p.getValue());
    }
    Parameter weight = taken(own, "weight", "embedding", "gamma");
    if (weight != null) {
      Parameter bias = taken(own, "bias", "beta");
      plain(at, path, bias == null ? List.of(weight) : List.of(weight, bias));
    }
    for (Map.Entry<String, Parameter> p : own.entrySet()) {
      Module lone = at.child(p.getKey());
      String full = path.isEmpty() ? p.getKey() : path + "." + p.getKey();
      note(lone, full);
      plain(lone, full, List.of(p.getValue()));
    }
  }

  private void note(Module at, String path) {
    String note = notes.get(path);
    if (note != null) {
      at.note = note;
    }
  }

  private void slot(Module at, String path, Slotted slot) {
    Frozen frozen = slot.frozen();
    String role = slot.role();
    at.what = role != null ? role : slot.kind().name().toLowerCase(Locale.ROOT);
    if (!plain(at, path, frozen.parameters())) {
      return;
    }
    at.shape = text(frozen.shape()) + (frozen.biasParameter() != null ? " + bias" : "");
    if (frozen instanceof Dense dense && dense.prepacked() != null) {
      at.dtype += " + f16";
      at.bytes += frozen.shape().size() * DataType.FLOAT16.getNumOfBytes();
    }
    if (!(frozen instanceof Dense)) {
      at.dtype = frozen.getClass().getSimpleName().toLowerCase(Locale.ROOT);
      at.parameters = frozen.shape().size() + frozen.biasSize();
    }
  }

  /** Describes a weight and its bias as they are stored; false if it is somebody else's. */
  private boolean plain(Module at, String path, List<Parameter> stored) {
    Parameter weight = stored.get(0);
    at.shape = text(shape(weight)) + (stored.size() > 1 ? " + bias" : "");
    String owner = owners.putIfAbsent(weight.getId(), path);
    if (owner != null) {
      String tied = "= " + owner.substring(owner.lastIndexOf('.') + 1);
      at.note = at.note.isEmpty() ? tied : tied + "; " + at.note;
      return false;
    }
    at.dtype = weight.isInitialized() ? text(weight.getArray().getDataType()) : "";
    stored.forEach(at::add);
    return true;
  }

  private static @Nullable Parameter taken(Map<String, Parameter> own, String... names) {
    for (String name : names) {
      Parameter p = own.remove(name);
      if (p != null) {
        return p;
      }
    }
    return null;
  }

  private static Shape shape(Parameter p) {
    return p.getShape() != null
        ? p.getShape()
        : p.isInitialized() ? p.getArray().getShape() : new Shape(0);
  }

  private static long bytes(Parameter p) {
    return p.isInitialized()
        ? p.getArray().getShape().size() * p.getArray().getDataType().getNumOfBytes()
        : 0;
  }

  private static String text(DataType type) {
    return switch (type) {
      case FLOAT32 -> "f32";
      case FLOAT64 -> "f64";
      case FLOAT16 -> "f16";
      case BFLOAT16 -> "bf16";
      default -> type.name().toLowerCase(Locale.ROOT);
    };
  }

  /** {@code [576, 192]}. */
  private static String text(Shape shape) {
    List<String> sizes = new ArrayList<>();
    for (long n : shape.getShape()) {
      sizes.add(String.valueOf(n));
    }
    return "[" + String.join(", ", sizes) + "]";
  }
}
