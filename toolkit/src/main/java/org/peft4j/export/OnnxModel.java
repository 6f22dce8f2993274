package org.peft4j.export;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;
import org.peft4j.generate.Decoder;
import org.peft4j.generate.Generator;
import org.peft4j.model.Config;
import org.peft4j.onnx.AdaptedSession;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.text.Tokenizer;

/** A language model in ONNX Runtime, with its cache and, where it has one, its tokenizer. */
public final class OnnxModel implements AutoCloseable {
  private static final List<String> STEPS =
      List.of(
          "encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx", "model.onnx");

  private final List<OnnxSession> sessions;
  private final Path folder;
  private final @Nullable Tokenizer tokenizer;
  private final @Nullable Config config;
  private final List<String> used;

  private OnnxModel(
      List<OnnxSession> sessions,
      Path folder,
      @Nullable Tokenizer tokenizer,
      @Nullable Config config,
      List<String> used) {
    this.sessions = List.copyOf(sessions);
    this.folder = folder;
    this.tokenizer = tokenizer;
    this.config = config;
    this.used = List.copyOf(used);
  }

  /** Loads what {@link Exporter} wrote, with as many threads per operation as there are cores. */
  public static OnnxModel load(Path path) {
    return load(path, 0);
  }

  /**
   * Loads what {@link Exporter} wrote: a graph, or a folder with {@code model.onnx} or with the
   * three graphs of a model with an encoder; and the {@code tokenizer.json} and {@code config.json}
   * beside it, if there are any.
   *
   * @param threads per operation; 0 for as many as there are cores
   */
  public static OnnxModel load(Path path, int threads) {
    boolean whole = Files.isDirectory(path);
    Path parent = path.toAbsolutePath().getParent();
    Path folder = whole || parent == null ? path : parent;
    List<Path> files =
        !whole
            ? List.of(path)
            : Files.isRegularFile(folder.resolve(STEPS.get(0)))
                ? STEPS.subList(0, 3).stream().map(folder::resolve).toList()
                : List.of(folder.resolve(STEPS.get(3)));
    List<OnnxSession> sessions = new ArrayList<>();
    boolean done = false;
    try {
      for (Path file : files) {
        sessions.add(OnnxSession.load(file, threads));
      }
      boolean tokens = Files.isRegularFile(folder.resolve("tokenizer.json"));
      Path facts = folder.resolve("config.json");
      OnnxModel model =
          new OnnxModel(
              sessions,
              folder,
              tokens ? Tokenizer.load(folder) : null,
              Files.isRegularFile(facts) ? read(facts) : null,
              List.of());
      done = true;
      return model;
    } finally {
      if (!done) {
        sessions.forEach(OnnxSession::close);
      }
    }
  }

  /** Whether {@link #load} would find graphs there: of a folder, without weights beside them. */
  public static boolean isAt(Path path) {
    return Files.isRegularFile(path)
        ? path.toString().endsWith(".onnx") && besideTokenizer(path)
        : STEPS.stream().anyMatch(s -> Files.isRegularFile(path.resolve(s)))
            && !Files.isRegularFile(path.resolve("model.safetensors"));
  }

  private static boolean besideTokenizer(Path file) {
    return Files.isRegularFile(file.resolveSibling("tokenizer.json"));
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
    return new OnnxModel(sessions, folder, other, config, used);
  }

  /**
   * Loads an adapter to {@link #use}, see {@link OnnxSession#adapter}. Of several graphs each takes
   * what is for it.
   *
   * @throws IllegalArgumentException when it does not fit
   */
  public OnnxModel adapter(String name, Path file) {
    OnnxSession.adapter(sessions, name, file);
    return this;
  }

  /** The same with these loaded adapters acting; none for the base alone. It shares the graphs. */
  public OnnxModel use(String... names) {
    adapted(names); // refuses now what would fail later
    return new OnnxModel(sessions, folder, tokenizer, config, List.of(names));
  }

  /** Writes texts with the tokenizer that lies beside the graph. */
  public Generator generator() {
    if (tokenizer == null) {
      throw new IllegalStateException(
          folder
              + "\nexpected: tokenizer.json beside the graph\nfound: none"
              + "\nfix: export into a folder, or with(tokenizer)");
    }
    return Generator.of(this::decoder, tokenizer, config, answers() ? start() : null);
  }

  /** Whether its tokenizer knows how a conversation is written down. */
  public boolean hasChatTemplate() {
    return tokenizer != null && tokenizer.hasChatTemplate();
  }

  /** Whether it answers texts, with an encoder, instead of continuing them. */
  private boolean answers() {
    return sessions.size() > 1;
  }

  private long start() {
    return config == null ? 0 : config.decoderStart();
  }

  /**
   * Reads prompts of token ids and scores what comes next.
   *
   * @param pad the token that fills shorter ones
   */
  public Decoder decoder(long[][] prompts, long pad) {
    List<AdaptedSession> graphs = adapted(used.toArray(String[]::new));
    if (answers()) {
      return new SourceDecoder(
          new SourceDecoder.Graphs(graphs.get(0), graphs.get(1), graphs.get(2)),
          prompts,
          pad,
          start());
    }
    AdaptedSession only = graphs.get(0);
    boolean shared = Boolean.parseBoolean(only.session().metadata().get(Exporter.SHARES_BUFFERS));
    return new GraphDecoder(only, shared, prompts, pad);
  }

  private List<AdaptedSession> adapted(String... names) {
    return sessions.stream().map(s -> s.use(names)).toList();
  }

  /** The graphs, in the order in which they run. */
  public List<OnnxSession> sessions() {
    return sessions;
  }

  @Override
  public void close() {
    sessions.forEach(OnnxSession::close);
  }
}
