package org.peft4j.format;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** The GGUF format of ggml and llama.cpp (github.com/ggml-org/ggml, docs/gguf.md). */
public final class Gguf {
  private Gguf() {}

  /** Whether {@code path} is a file of that name's ending. */
  public static boolean is(Path path) {
    return path.toString().toLowerCase(Locale.ROOT).endsWith(".gguf") && Files.isRegularFile(path);
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
}
