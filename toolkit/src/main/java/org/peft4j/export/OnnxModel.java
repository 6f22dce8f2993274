package org.peft4j.export;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;
import org.peft4j.generate.Decoder;
import org.peft4j.generate.Generator;
import org.peft4j.model.Config;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.text.Tokenizer;

/** A language model in ONNX Runtime, with its cache and, where it has one, its tokenizer. */
public final class OnnxModel implements AutoCloseable {
  private final OnnxSession session;
  private final boolean shared;
  private final @Nullable Tokenizer tokenizer;
  private final @Nullable Config config;

  private OnnxModel(
      OnnxSession session, boolean shared, @Nullable Tokenizer tokenizer, @Nullable Config config) {
    this.session = session;
    this.shared = shared;
    this.tokenizer = tokenizer;
    this.config = config;
  }

  /**
   * Loads a graph that {@link Exporter} wrote, and the {@code tokenizer.json} and {@code
   * config.json} beside it, if there are any.
   *
   * @param threads per operation; 0 for as many as there are cores
   */
  public static OnnxModel load(Path file, int threads) {
    Path folder = file.toAbsolutePath().getParent();
    Path tokens = folder == null ? file : folder.resolve("tokenizer.json");
    Path facts = folder == null ? file : folder.resolve("config.json");
    Tokenizer tokenizer =
        folder != null && Files.isRegularFile(tokens) ? Tokenizer.load(folder) : null;
    Config config =
        Files.isRegularFile(facts) && folder != null
            ? read(facts)
            : null;
    OnnxSession session = OnnxSession.load(file, threads);
    boolean shared = Boolean.parseBoolean(session.metadata().get(Exporter.SHARES_BUFFERS));
    return new OnnxModel(session, shared, tokenizer, config);
  }

  private static Config read(Path file) {
    try {
      return new Config(file.toString(), Json.read(file));
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /** The same with another tokenizer. */
  public OnnxModel with(Tokenizer other) {
    return new OnnxModel(session, shared, other, config);
  }

  /** Writes texts with the tokenizer that lies beside the graph. */
  public Generator generator() {
    if (tokenizer == null) {
      throw new IllegalStateException(
          session
              + " has no tokenizer\nexpected: tokenizer.json beside the graph"
              + "\nfix: export into a folder, or with(tokenizer)");
    }
    return Generator.of(this::decoder, tokenizer, config, null);
  }

  /** Reads prompts of token ids and scores what comes next. */
  public Decoder decoder(long[][] prompts, long pad) {
    return new GraphDecoder(session, shared, prompts, pad);
  }

  public OnnxSession session() {
    return session;
  }

  @Override
  public void close() {
    session.close();
  }
}
