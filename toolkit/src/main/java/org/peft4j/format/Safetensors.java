package org.peft4j.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * The safetensors format (github.com/huggingface/safetensors), both ways. Files written here equal,
 * byte for byte, those that Hugging Face's own library writes for the same tensors.
 */
public final class Safetensors {
  static final String SINGLE = "model.safetensors";
  static final String INDEX = "model.safetensors.index.json";

  private Safetensors() {}

  /**
   * One tensor to be written, made when its turn comes.
   *
   * @param dtype element type in the file: the array's own ({@code F32, F64, F16, I64, I32, I8, U8,
   *     BOOL}), or {@code F16} or {@code BF16} for float32 arrays, rounded to the nearest
   * @param values called once; arrays that it makes are freed when they are written
   */
  public record Entry(String name, String dtype, Shape shape, Supplier<NDArray> values) {
    /** An array that exists, as it is; it stays the caller's. */
    public static Entry of(String name, NDArray array) {
      ElementType type = ElementType.of(array.getDataType());
      if (type == null) {
        throw new IllegalArgumentException(
            Malformed.quote(name) + ": safetensors cannot hold " + array.getDataType());
      }
      return new Entry(name, type.name(), array.getShape(), () -> array);
    }

    long bytes() {
      return type().bytes(ElementType.dimensions(shape));
    }

    ElementType type() {
      ElementType type = ElementType.named(dtype);
      if (type == null) {
        throw new IllegalArgumentException(
            Malformed.quote(name) + ": unknown dtype " + Malformed.quote(dtype));
      }
      return type;
    }
  }

  /**
   * Opens a file, or a directory that holds {@code model.safetensors} or a sharded {@code
   * model.safetensors.index.json}, or an index itself.
   *
   * @throws IllegalArgumentException that names every problem of a malformed file; nothing is
   *     allocated for what it declares before that check
   */
  public static TensorSource open(Path path) throws IOException {
    if (Files.isDirectory(path)) {
      if (Files.exists(path.resolve(SINGLE))) {
        return new SafetensorsFile(path.resolve(SINGLE));
      }
      if (Files.exists(path.resolve(INDEX))) {
        return new Shards(path.resolve(INDEX), SafetensorsFile::new);
      }
      throw new NoSuchFileException(path + ": holds neither " + SINGLE + " nor " + INDEX);
    }
    return path.toString().endsWith(".json")
        ? new Shards(path, SafetensorsFile::new)
        : new SafetensorsFile(path);
  }

  /** The free texts in a file's header, such as {@code format = pt}. */
  public static Map<String, String> metadata(Path file) throws IOException {
    try (SafetensorsFile open = new SafetensorsFile(file)) {
      return open.metadata();
    }
  }

  /**
   * Writes arrays to one file, which appears whole or not at all.
   *
   * @param metadata free texts for the header; none when empty (Hugging Face writes {@code format =
   *     pt})
   */
  public static void write(Path file, Map<String, NDArray> tensors, Map<String, String> metadata)
      throws IOException {
    write(file, entries(tensors), metadata);
  }

  /** Writes entries to one file, which appears whole or not at all; one array exists at a time. */
  public static void write(Path file, Collection<Entry> entries, Map<String, String> metadata)
      throws IOException {
    SafetensorsWriter.write(file, entries, metadata);
  }

  /**
   * Writes a model's tensors to {@code directory} as transformers does: {@code model.safetensors}
   * if they fit into one file, else numbered files and an index. What an earlier save left there
   * under such names is removed; a save that breaks off leaves a directory that is refused, never a
   * mix.
   *
   * @param maxShardBytes a file that would grow beyond this ends before the next tensor; a larger
   *     tensor gets a file of its own
   */
  public static void writeSharded(
      Path directory, Collection<Entry> entries, long maxShardBytes, Map<String, String> metadata)
      throws IOException {
    SafetensorsWriter.writeSharded(directory, entries, maxShardBytes, metadata);
  }

  private static List<Entry> entries(Map<String, NDArray> tensors) {
    List<Entry> entries = new ArrayList<>();
    tensors.forEach((name, array) -> entries.add(Entry.of(name, array)));
    return entries;
  }
}
