package org.peft4j;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.peft4j.export.AdapterExport;
import org.peft4j.export.AdapterGraph;
import org.peft4j.model.Config;
import org.peft4j.model.Pretrained;
import org.peft4j.onnx.Comparison;
import org.peft4j.onnx.GraphExport;
import org.peft4j.onnx.Input;
import org.peft4j.onnx.OnnxAdapter;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.spi.Paths;

/** ONNX: models written as graphs, and graphs run in ONNX Runtime. */
public final class Onnx {
  private Onnx() {}

  /**
   * Writes a model as an ONNX graph with open batch and sequence sizes, weights named as Hugging
   * Face names them. An adapted model is merged on the way. The file appears whole or not at all.
   */
  public static Exported export(Pretrained model, Path file) {
    return export(model, model, file);
  }

  /** Writes {@code block}, which computes what {@code model} tells of. */
  private static Exported export(Block block, Pretrained model, Path file) {
    Config config = model.config();
    if (config == null) {
      throw new IllegalArgumentException(
          "the shapes of this block's inputs are not known\n"
              + "fix: Onnx.export(block, file, Input.floats(\"x\", \"batch\", 784))");
    }
    return write(described(block, model, config), g -> g, file, block);
  }

  private static GraphExport described(Block block, Pretrained model, Config config) {
    Input[] inputs =
        model.inputNames().stream()
            .filter(name -> !name.equals("decoder_attention_mask")) // what is written has no gaps
            .map(
                name ->
                    switch (name) {
                      case "input_ids" ->
                          Input.ids(name, config.size("vocab_size"), "batch", "sequence");
                      case "decoder_input_ids" ->
                          Input.ids(name, config.size("vocab_size"), "batch", "decoder_sequence");
                      case "token_type_ids" -> Input.ids(name, 2, "batch", "sequence");
                      case "pixel_values" -> images(name, config);
                      default -> Input.mask(name, "batch", "sequence");
                    })
            .toArray(Input[]::new);
    return export(block, model.outputNames(), inputs).metadata(Map.of("model", model.name()));
  }

  private static Input images(String name, Config config) {
    Shape size = config.pair("image_size", 224);
    return Input.floats(
        name, "batch", config.sizeOr(3, "num_channels"), (int) size.get(0), (int) size.get(1));
  }

  /**
   * Merges the active adapters and writes the result, see {@link #export(Pretrained, Path)}.
   * Adapters that act on what flows through the model become part of the graph.
   */
  public static Exported export(Tuned model, Path file) {
    return model.isMergeable() ? export(model.merge(), file) : export(model, model.model(), file);
  }

  /**
   * Writes the base as one graph with places for adapters, which are chosen for each run:
   *
   * <pre>{@code
   * Onnx.exportWithAdapters(tuned, Path.of("base.onnx"));
   * Onnx.adapter(tuned, "default", Path.of("mine.onnx_adapter"));
   * OnnxSession session = Onnx.session(Path.of("base.onnx"));
   * session.adapter("mine", Path.of("mine.onnx_adapter")).use("mine").run(manager, inputs);
   * }</pre>
   *
   * Without one it computes what the base does. Other adapters fit if they act in some of the same
   * modules, whatever their rank and scale.
   *
   * @param names adapters whose modules get places; none for all adapters of the model
   * @throws IllegalArgumentException when one of them is no plain LoRA of linear modules
   */
  public static Exported exportWithAdapters(Tuned model, Path file, String... names) {
    AdapterGraph places =
        AdapterGraph.of(model, names.length == 0 ? model.adapters() : List.of(names));
    Config config = model.model().config();
    if (config == null) {
      throw new IllegalArgumentException(
          "places for adapters are made in models that Models.load(...) made\nfound: "
              + model.model()
              + "\nfix: merge the adapter, Onnx.export(tuned, file, inputs)");
    }
    GraphExport export = described(places.block(), model.model(), config).names(places::name);
    return write(export, places::withPlaces, file, places.block());
  }

  /**
   * Writes an adapter for {@link #exportWithAdapters graphs with places}, as an {@code
   * .onnx_adapter} file with the scale in B. The file appears whole or not at all.
   *
   * @throws IllegalArgumentException when it is no plain LoRA of linear modules
   */
  public static OnnxAdapter adapter(Tuned model, String name, Path file) {
    return AdapterExport.write(model, name, file);
  }

  /**
   * Writes any DJL block that the tracer can record; the inputs are named and shaped by the caller,
   * in the order of the block's.
   */
  public static Exported export(Block block, Path file, Input... inputs) {
    if (block instanceof Tuned tuned && tuned.isMergeable()) {
      return export((Block) tuned.merge(), file, inputs);
    }
    return write(export(block, List.of("output"), inputs), g -> g, file, block);
  }

  private static GraphExport export(Block block, List<String> outputs, Input... inputs) {
    IdentityHashMap<Parameter, String> names = new IdentityHashMap<>();
    Paths.parameters(block).forEach((path, p) -> names.put(p, path));
    return GraphExport.of(block)
        .inputs(inputs)
        .outputs(outputs.toArray(String[]::new))
        .names(p -> names.getOrDefault(p, p.getName()))
        .metadata(Map.of("producer", "peft4j"));
  }

  private static Exported write(
      GraphExport export, UnaryOperator<OnnxGraph> change, Path file, Block keptAlive) {
    try (OnnxGraph traced = export.trace()) {
      OnnxGraph graph = change.apply(traced);
      List<Path> files = graph.write(file);
      return new Exported(file, files, export, graph.nodes().size(), graph.opset(), keptAlive);
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be written: " + e.getMessage(), e);
    }
  }

  /** Loads a graph into ONNX Runtime. */
  public static OnnxSession session(Path file) {
    return OnnxSession.load(file);
  }

  /** A graph that was just written, with the block it was made of at hand to hold it against. */
  public static final class Exported {
    private final Path file;
    private final List<Path> files;
    private final GraphExport export;
    private final int nodes;
    private final int opset;

    @SuppressWarnings("UnusedVariable") // its weights must live as long as validate() can be called
    private final Block model;

    private Exported(
        Path file, List<Path> files, GraphExport export, int nodes, int opset, Block model) {
      this.file = file;
      this.files = List.copyOf(files);
      this.export = export;
      this.nodes = nodes;
      this.opset = opset;
      this.model = model;
    }

    public Path file() {
      return file;
    }

    /** Number of operators in the graph. */
    public int nodes() {
      return nodes;
    }

    /** Version of the operator set that the graph asks for, as low as its operators allow. */
    public int opset() {
      return opset;
    }

    /** All files written: the graph, and its weights where they lie beside it. */
    public List<Path> files() {
      return files;
    }

    /**
     * Runs the model and the file on the same inputs at sizes that were not traced.
     *
     * @throws IllegalStateException with the table of differences, if one is too large
     */
    public Comparison validate() {
      try (OnnxSession session = session()) {
        return export.compare(session).orThrow();
      }
    }

    /** The file in ONNX Runtime. */
    public OnnxSession session() {
      return OnnxSession.load(file);
    }

    @Override
    public String toString() {
      return file
          + ": "
          + nodes
          + " nodes, opset "
          + opset
          + "; .validate() runs it against the model";
    }
  }
}
