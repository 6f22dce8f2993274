package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SymbolBlock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.peft4j.tensor.Torch;

/**
 * Exports a block by running its forward, in inference mode, with arrays that record what is done
 * to them. The forward runs at several small sizes: named dimensions stay open in the graph.
 *
 * <pre>{@code
 * try (OnnxGraph graph = GraphExport.of(block)
 *     .inputs(Input.ids("input_ids", 30522, "batch", "sequence"))
 *     .outputs("logits")
 *     .trace()) {
 *   graph.write(Path.of("model.onnx"));
 * }
 * }</pre>
 *
 * An export is a value: each method gives a new one.
 */
public final class GraphExport {
  private final Block block;
  private final List<Input> inputs;
  private final List<String> outputs;
  private final @Nullable Function<Parameter, String> names;
  private final Map<String, String> metadata;
  private final boolean contrib;
  private final Map<String, long[]> sizes;
  private final Set<String> unread;

  private GraphExport(
      Block block,
      List<Input> inputs,
      List<String> outputs,
      @Nullable Function<Parameter, String> names,
      Map<String, String> metadata,
      boolean contrib,
      Map<String, long[]> sizes,
      Set<String> unread) {
    this.block = block;
    this.inputs = List.copyOf(inputs);
    this.outputs = List.copyOf(outputs);
    this.names = names;
    this.metadata = new LinkedHashMap<>(metadata);
    this.contrib = contrib;
    this.sizes = new LinkedHashMap<>(sizes);
    this.unread = Set.copyOf(unread);
  }

  /** Starts an export; inputs and outputs are still to be named. */
  public static GraphExport of(Block block) {
    return new GraphExport(block, List.of(), List.of(), null, Map.of(), false, Map.of(), Set.of());
  }

  /** The inputs, in the order of the block's. */
  public GraphExport inputs(Input... inputs) {
    return new GraphExport(
        block, Arrays.asList(inputs), outputs, names, metadata, contrib, sizes, unread);
  }

  /** Names of the outputs, in the order of the block's; those after the last name are left out. */
  public GraphExport outputs(String... outputs) {
    return new GraphExport(
        block, inputs, Arrays.asList(outputs), names, metadata, contrib, sizes, unread);
  }

  /**
   * Names of the stored tensors; by default DJL's parameter names without the numbers of child
   * blocks.
   */
  public GraphExport names(Function<Parameter, String> names) {
    return new GraphExport(block, inputs, outputs, names, metadata, contrib, sizes, unread);
  }

  /** Entries for the file's metadata, added to those there are. */
  public GraphExport metadata(Map<String, String> entries) {
    Map<String, String> all = new LinkedHashMap<>(metadata);
    all.putAll(entries);
    return new GraphExport(block, inputs, outputs, names, all, contrib, sizes, unread);
  }

  /**
   * Allows ONNX Runtime's own operators ({@code com.microsoft}); others cannot run the graph then.
   */
  public GraphExport contrib() {
    return new GraphExport(block, inputs, outputs, names, metadata, true, sizes, unread);
  }

  /**
   * Other sizes of a named dimension to trace at, for a block that does not take small ones.
   *
   * @param low at least 2
   * @param high above {@code low}
   * @param check another one than both, to check what was concluded from them
   */
  public GraphExport traced(String dimension, long low, long high, long check) {
    if (low < 2 || high <= low || check < 2 || check == low || check == high) {
      throw new IllegalArgumentException(
          "sizes of \""
              + dimension
              + "\" to trace at\nexpected: 2 <= low < high, and a third that differs\nfound: "
              + low
              + ", "
              + high
              + ", "
              + check);
    }
    Map<String, long[]> all = new LinkedHashMap<>(sizes);
    all.put(dimension, new long[] {low, high, check});
    return new GraphExport(block, inputs, outputs, names, metadata, contrib, all, unread);
  }

  /**
   * Takes the size of a named dimension from what others leave, not from where it stands alone: a
   * caller may give a longer buffer there, such as one for keys and values still to come.
   */
  public GraphExport unread(String dimension) {
    Set<String> all = new LinkedHashSet<>(unread);
    all.add(dimension);
    return new GraphExport(block, inputs, outputs, names, metadata, contrib, sizes, all);
  }

  /**
   * Records the block.
   *
   * @throws ExportException when the forward does what a graph cannot; the message names the
   *     operation and the Java line
   */
  public OnnxGraph trace() {
    check();
    ParameterNames parameters = new ParameterNames(block, names);
    Grid grid = new Grid(List.copyOf(dimensions()), sizes);
    List<Trace> traces = new ArrayList<>();
    try {
      for (int point = 0; point < grid.count(); point++) {
        Trace trace = new Trace(parameters, contrib);
        traces.add(trace);
        run(trace, grid, point);
        trace.seal(point == 0);
      }
      return new GraphBuilder(new Alignment(grid, traces), inputs, outputs, contrib, unread)
          .build(metadata);
    } finally {
      traces.forEach(Trace::close);
    }
  }

  private void run(Trace trace, Grid grid, int point) {
    Torch.inference(
        () -> {
          NDList list = new NDList();
          for (Input input : inputs) {
            list.add(
                trace.input(
                    input.name(),
                    trace.own(() -> input.values(trace.manager(), grid.sizes(point)))));
          }
          NDList results = forward(trace, list, grid.describe(point));
          if (results.size() < outputs.size()) {
            throw new ExportException(
                "the block has fewer outputs than names were given\nexpected: "
                    + outputs
                    + "\nfound: "
                    + results.size()
                    + " outputs");
          }
          for (int i = 0; i < outputs.size(); i++) {
            NDArray result = results.get(i);
            if (result == null) {
              throw new ExportException(
                  "the block's output \"" + outputs.get(i) + "\" is null\nfix: leave its name out");
            }
            trace.output(result);
          }
          return null;
        });
  }

  private NDList forward(Trace trace, NDList list, String at) {
    try {
      return block.forward(new TracedParameters(trace), list, false);
    } catch (ExportException e) {
      throw e;
    } catch (RuntimeException e) {
      String hint =
          e instanceof ClassCastException
              ? "\nfix: the forward uses the engine's own arrays; use NDArray's operations, or "
                  + "wrap it in Tracing.composite"
              : "\nfix: if it does not take these sizes, say which it takes by GraphExport.traced";
      throw new ExportException(
          "the block's forward failed at "
              + at
              + "\nfound: "
              + e
              + "\nat: "
              + CallSite.of(e)
              + hint,
          e);
    }
  }

  private Set<String> dimensions() {
    Set<String> names = new LinkedHashSet<>();
    inputs.forEach(i -> i.dims().forEach(d -> names.addAll(d.factors().keySet())));
    return names;
  }

  private void check() {
    List<String> problems = new ArrayList<>();
    if (inputs.isEmpty()) {
      problems.add("no inputs: name them by inputs(Input.floats(\"x\", \"batch\", 4), ...)");
    }
    if (outputs.isEmpty()) {
      problems.add("no outputs: name them by outputs(\"y\", ...)");
    }
    Set<String> seen = new LinkedHashSet<>();
    inputs.stream()
        .map(Input::name)
        .filter(n -> !seen.add(n))
        .forEach(n -> problems.add("two inputs or outputs are called \"" + n + "\""));
    outputs.stream()
        .filter(n -> !seen.add(n))
        .forEach(n -> problems.add("two inputs or outputs are called \"" + n + "\""));
    sizes.keySet().stream()
        .filter(n -> !dimensions().contains(n))
        .forEach(
            n ->
                problems.add(
                    "sizes were given for \""
                        + n
                        + "\", which is no input's dimension; there are "
                        + dimensions()));
    findSymbolBlocks(block, problems);
    if (!problems.isEmpty()) {
      throw new ExportException("cannot export\nfound: " + String.join("\nfound: ", problems));
    }
  }

  private static void findSymbolBlocks(Block block, List<String> problems) {
    if (block instanceof SymbolBlock) {
      problems.add(
          block.getClass().getSimpleName()
              + " computes outside of Java, where it cannot be traced");
      return;
    }
    block.getChildren().values().forEach(child -> findSymbolBlocks(child, problems));
  }

  // ---- holding a file against the block

  /**
   * Runs the block and a file made of it on the same inputs, at sizes it was not traced at: all of
   * them 1, each of them 1 with the others larger, and all larger.
   */
  public Comparison compare(OnnxSession session) {
    return compare(session, Comparison.TOLERANCE, defaultSizes());
  }

  /**
   * Runs the block and a file made of it on the same inputs.
   *
   * @param tolerance allowed difference, of outputs of size up to 1; of larger ones relative to the
   *     largest
   * @param sizes of all named dimensions, one map per run
   */
  public Comparison compare(OnnxSession session, double tolerance, List<Map<String, Long>> sizes) {
    return compare(session.use(), tolerance, sizes, Counted.all());
  }

  /** Like {@link #compare(OnnxSession, double, List)}, with adapters, of what counts. */
  public Comparison compare(
      AdaptedSession session, double tolerance, List<Map<String, Long>> sizes, Counted counted) {
    return new Validation(block, inputs, outputs, session, tolerance, counted).at(sizes);
  }

  /** Sizes to compare at where nobody says others: none of them are traced. */
  public List<Map<String, Long>> defaultSizes() {
    List<String> open = List.copyOf(dimensions());
    List<Map<String, Long>> all = new ArrayList<>();
    all.add(sizes(open, k -> 1));
    for (int one = 0; open.size() > 1 && one < open.size(); one++) {
      int index = one;
      all.add(sizes(open, k -> k == index ? 1 : larger(k)));
    }
    all.add(sizes(open, GraphExport::larger));
    return open.isEmpty() ? List.of(Map.of()) : all;
  }

  private static long larger(int k) {
    return k == 0 ? 5 : 11 + 2L * k;
  }

  private static Map<String, Long> sizes(
      List<String> names, java.util.function.IntToLongFunction size) {
    Map<String, Long> sizes = new LinkedHashMap<>();
    for (int k = 0; k < names.size(); k++) {
      sizes.put(names.get(k), size.applyAsLong(k));
    }
    return sizes;
  }
}
