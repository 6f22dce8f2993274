package org.peft4j.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;

/** The GGUF format of ggml and llama.cpp (github.com/ggml-org/ggml, docs/gguf.md). */
public final class Gguf {
  private Gguf() {}

  /**
   * One tensor to be written, made when its turn comes.
   *
   * @param type of ggml: {@code F32, F16, BF16, Q8_0} or {@code Q4_0}
   * @param values a float32 array; called once, and what it makes is freed when it is written
   */
  public record Entry(String name, String type, Shape shape, Supplier<NDArray> values) {
    long bytes() {
      return ggml().bytes(ElementType.dimensions(shape));
    }

    GgmlType ggml() {
      GgmlType found = GgmlType.named(type);
      if (found == null || !found.writable()) {
        throw new IllegalArgumentException(
            "expected one of the types "
                + GgmlType.writableNames()
                + ", found "
                + Malformed.quote(type));
      }
      return found;
    }
  }

  /** Whether {@code path} is a file of that name's ending. */
  public static boolean is(Path path) {
    return named(path) && Files.isRegularFile(path);
  }

  /** Whether {@code path} has that ending, be there a file or not. */
  public static boolean named(Path path) {
    return path.toString().toLowerCase(Locale.ROOT).endsWith(".gguf");
  }

  /**
   * Opens a file. Packed tensors are loaded as float32.
   *
   * @throws IllegalArgumentException that names every problem of a malformed file; nothing is
   *     allocated for what it declares before that check
   */
  public static GgufFile open(Path file) throws IOException {
    return new GgufFile(file);
  }

  /**
   * Writes a file of version 3, which appears whole or not at all; one tensor exists at a time.
   * Packed types are rounded as ggml's reference code does.
   */
  public static void write(Path file, Map<String, GgufValue> metadata, Collection<Entry> entries)
      throws IOException {
    GgufWriter.write(file, metadata, entries);
  }
}
