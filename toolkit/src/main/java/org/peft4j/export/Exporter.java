package org.peft4j.export;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.peft4j.adapter.PeftModel;
import org.peft4j.format.AtomicFiles;
import org.peft4j.model.Config;
import org.peft4j.model.Pretrained;
import org.peft4j.model.Task;
import org.peft4j.onnx.AdapterSlots;
import org.peft4j.onnx.Comparison;
import org.peft4j.onnx.GraphExport;
import org.peft4j.onnx.Input;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.spi.Anatomy;

/**
 * Writes a model as ONNX, as Optimum names inputs, outputs and files. A causal language model takes
 * and gives the keys and values of earlier tokens, so that one graph reads a prompt and continues
 * it.
 *
 * <pre>{@code
 * Onnx.of(model).profile(Profile.ORT).write(Path.of("model.onnx"));
 * }</pre>
 *
 * An exporter is a value: each method gives a new one.
 */
public final class Exporter {
  /** Key of the metadata that tells whether one buffer may be past and present. */
  static final String SHARES_BUFFERS = "peft4j.shares_buffers";

  private final Block block;
  private final Pretrained model;
  private final @Nullable AdapterGraph places;
  private final Options options;

  private record Options(
      Profile profile, boolean cache, List<GraphPass> passes, Map<String, String> metadata) {}

  private Exporter(Block block, Pretrained model, @Nullable AdapterGraph places, Options options) {
    this.block = block;
    this.model = model;
    this.places = places;
    this.options = options;
  }

  /**
   * An exporter of a model: ONNX's own operators, with a cache where it writes text. Weights that
   * are kept in few bits are decoded for it.
   */
  public static Exporter of(Pretrained model) {
    Pretrained decoded = AdapterGraph.decoded(model);
    return of(decoded, decoded, null);
  }

  /**
   * An exporter of an adapted model; adapters that act on what flows through it become part of the
   * graph. Merge those that can be merged first.
   */
  public static Exporter of(PeftModel model) {
    return of(model, Pretrained.of(model.base()), null);
  }

  /**
   * An exporter of the base of a model, with places for adapters such as those it has. Of a model
   * that becomes three graphs, each has those of its own modules.
   *
   * @param adapters whose modules get places
   * @throws IllegalArgumentException when one of them is no plain LoRA of linear modules
   */
  public static Exporter withPlaces(PeftModel model, List<String> adapters) {
    AdapterGraph places = AdapterGraph.of(model, adapters);
    return of(places.block(), Pretrained.of(model.base()), places);
  }

  private static Exporter of(Block block, Pretrained model, @Nullable AdapterGraph places) {
    return new Exporter(
        block, model, places, new Options(Profile.STANDARD, true, List.of(), Map.of()));
  }

  private Exporter with(Options other) {
    return new Exporter(block, model, places, other);
  }

  /** Which operators the graph is made of. */
  public Exporter profile(Profile profile) {
    return with(new Options(profile, options.cache, options.passes, options.metadata));
  }

  /**
   * Whether a causal language model takes and gives keys and values of earlier tokens; by default
   * it does. Without, its graph reads whole texts.
   */
  public Exporter cache(boolean on) {
    return with(new Options(options.profile, on, options.passes, options.metadata));
  }

  /**
   * Which types the graph stores and computes in, float32 where nobody says otherwise: {@link
   * WeightOnly#int4}, {@link WeightOnly#int8}, {@link Half#of}. Several follow each other. What the
   * weights lose is told by {@link Exported.Graph#loss}. Integers need ONNX Runtime's operators, so
   * that the graph runs there alone.
   */
  public Exporter types(GraphPass... passes) {
    return with(new Options(options.profile, options.cache, List.of(passes), options.metadata));
  }

  /** Entries for the metadata of the file, added to those there are. */
  public Exporter metadata(Map<String, String> entries) {
    Map<String, String> all = new LinkedHashMap<>(options.metadata);
    all.putAll(entries);
    return with(new Options(options.profile, options.cache, options.passes, all));
  }

  /**
   * Writes one graph with open batch and sequence sizes, weights named as Hugging Face names them.
   * It is run against the model first, and appears only if it computes the same.
   *
   * @throws IllegalArgumentException if the model is a block of somebody else's, whose inputs are
   *     not known
   */
  public Exported write(Path file) {
    return write(Map.of(part(), file));
  }

  /**
   * Writes a folder as Optimum does: {@code model.onnx}, or of a language model with an encoder
   * {@code encoder_model.onnx}, {@code decoder_model.onnx} for the first step and {@code
   * decoder_with_past_model.onnx} for those after it; with {@code config.json} and the tokenizer
   * beside it, so that {@link OnnxModel#load} writes texts with it.
   *
   * @param folder which is made if it is not there
   */
  public Exported writeFolder(Path folder) {
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new UncheckedIOException(folder + ": cannot be made: " + e.getMessage(), e);
    }
    Map<Part, Path> files = new LinkedHashMap<>();
    parts().forEach(p -> files.put(p, folder.resolve(p.file() + ".onnx")));
    Exported exported = write(files);
    model.saveFacts(folder);
    return exported;
  }

  /**
   * Writes {@code genai_config.json}, which onnxruntime-genai reads, beside {@code model.onnx}, in
   * the form that its own model builder gives it.
   *
   * @param folder that {@link #writeFolder} wrote
   */
  public void writeGenAi(Path folder) {
    Anatomy sizes = model.anatomy();
    if (!(part() instanceof CausalPart) || sizes == null) {
      throw new IllegalArgumentException(
          "genai_config.json\nexpected: a causal language model with its cache\nfound: " + model);
    }
    try {
      AtomicFiles.writeString(
          folder.resolve("genai_config.json"),
          new GenAiConfig(model, config(), sizes, options.profile == Profile.ORT).text());
    } catch (IOException e) {
      throw new UncheckedIOException(folder + ": cannot be written: " + e.getMessage(), e);
    }
  }

  private List<Part> parts() {
    Anatomy sizes = model.anatomy();
    if (!options.cache || model.task() != Task.SEQ2SEQ_LM || sizes == null) {
      return List.of(part());
    }
    int vocabulary = config().size("vocab_size");
    return List.of(
        new EncoderPart(block, vocabulary),
        new DecoderPart(block, sizes, vocabulary, false, options.profile),
        new DecoderPart(block, sizes, vocabulary, true, options.profile));
  }

  private Part part() {
    return part(block);
  }

  private Part part(Block block) {
    Anatomy sizes = model.anatomy();
    boolean cached = options.cache && model.task() == Task.CAUSAL_LM && !looksBack();
    if (sizes == null || !cached) {
      return new WholePart(block, model, config());
    }
    return new CausalPart(block, sizes, config().size("vocab_size"), options.profile);
  }

  /** Virtual tokens stand at a text's start, which a graph with a cache cannot tell from later. */
  private boolean looksBack() {
    return block instanceof PeftModel tuned && (tuned.virtualTokens() > 0 || tuned.remembers());
  }

  private Config config() {
    Config config = model.config();
    if (config == null) {
      throw new IllegalArgumentException(
          "the shapes of this block's inputs are not known\n"
              + "fix: Onnx.export(block, file, Input.floats(\"x\", \"batch\", 784))");
    }
    return config;
  }

  /** Writes graphs that get their names together, once all are there. */
  private Exported write(Map<Part, Path> files) {
    files.values().forEach(GraphFile::requireFolder);
    try (GraphFile.Drafts drafts = new GraphFile.Drafts()) {
      boolean placed = false;
      for (Map.Entry<Part, Path> e : files.entrySet()) {
        placed |= draft(drafts, e.getKey(), e.getValue());
      }
      if (places != null && !placed) {
        throw places.unused();
      }
      return drafts.install();
    }
  }

  /** Writes one graph; whether it has places for adapters. */
  private boolean draft(GraphFile.Drafts drafts, Part part, Path file) {
    Map<String, String> entries = new LinkedHashMap<>();
    entries.put("producer", "peft4j");
    entries.put("model", model.name());
    entries.put("profile", options.profile.toString());
    entries.putAll(options.metadata);
    GraphExport export =
        GraphExport.of(part)
            .inputs(part.inputs().toArray(Input[]::new))
            .outputs(part.outputs().toArray(String[]::new))
            .names(names())
            .metadata(entries);
    if (part instanceof CausalPart) {
      export = export.unread(CacheNames.PAST);
    }
    try (OnnxGraph graph = (options.profile == Profile.ORT ? export.contrib() : export).trace()) {
      OnnxGraph open = places == null ? graph : places.withPlaces(graph);
      OnnxGraph told = open.metadata(SHARES_BUFFERS, String.valueOf(sharesBuffers(graph)));
      double tolerance = Comparison.TOLERANCE;
      List<QuantisationLoss.Tensor> losses = new ArrayList<>();
      for (GraphPass pass : options.passes) {
        losses.addAll(pass.loss(told).tensors());
        told = pass.apply(told);
        tolerance = Math.max(tolerance, pass.tolerance());
      }
      if (options.profile == Profile.ORT) {
        told = PackedAttention.of(told);
      }
      double allowed = tolerance;
      drafts.add(
          told, file, session -> check(part, session, allowed), new QuantisationLoss(losses));
      return told.metadata().containsKey(AdapterSlots.METADATA);
    }
  }

  /** Graphs that share an adapter's file out among them are held against the base alone. */
  private Comparison check(Part part, OnnxSession session, double tolerance) {
    Comparison base = part.check(session, tolerance);
    boolean alone = part instanceof WholePart || part instanceof CausalPart;
    return places == null || !alone
        ? base
        : base.and(places.check(session, part(places.tuned()), tolerance));
  }

  private Function<Parameter, String> names() {
    return places != null ? places::name : TensorNames.of(block);
  }

  private static boolean sharesBuffers(OnnxGraph graph) {
    return graph.histogram().containsKey("GroupQueryAttention");
  }
}
