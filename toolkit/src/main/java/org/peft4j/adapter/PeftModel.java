package org.peft4j.adapter;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.BlockList;
import ai.djl.nn.Parameter;
import ai.djl.nn.ParameterList;
import ai.djl.training.ParameterStore;
import ai.djl.util.Pair;
import ai.djl.util.PairList;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ref.Reference;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Gguf;
import org.peft4j.model.Description;
import org.peft4j.model.Dtype;
import org.peft4j.model.Network;
import org.peft4j.model.Pretrained;
import org.peft4j.nn.Overlay;
import org.peft4j.spi.At;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Arena;
import org.peft4j.tensor.Seed;

/**
 * A model with adapters. It is a DJL {@link Block}: its trainable parameters are those of the
 * active adapters, so DJL's {@code Trainer}, {@code Predictor} and listeners work with it. The base
 * is never changed; several of these may share one.
 *
 * <p>Closing it (or losing the last reference) frees the adapters, not the base.
 */
public class PeftModel extends AbstractBlock implements AutoCloseable {
  /** The name of an adapter when none is given. */
  public static final String DEFAULT = "default";

  private final Block base;
  private final Blueprint blueprint;
  private final Arena arena = new Arena();
  private final Arena.Hold hold = arena.heldBy(this);
  private final List<Parameter> frozenHere = new ArrayList<>();
  private final Map<String, Adapter> adapters = new LinkedHashMap<>();
  private final AtomicLong step = new AtomicLong();
  private volatile Active active = Active.none();
  private volatile boolean enabled = true;
  private volatile boolean trained;

  /**
   * Wraps {@code base}, freezing its parameters, without an adapter yet.
   *
   * @param usualTargets what {@code targets} left out means
   * @param newModules modules of the base without trained weights (a new head): every adapter
   *     trains and saves them
   */
  public PeftModel(Block base, List<String> usualTargets, List<String> newModules) {
    super((byte) 1);
    if (base instanceof PeftModel) {
      throw new IllegalArgumentException(
          "the model is adapted already\n"
              + "fix: add another adapter to it with add(...), or merge() it first");
    }
    this.base = base;
    this.blueprint = new Blueprint(base, usualTargets, newModules);
    for (Parameter p : base.getParameters().values()) {
      if (p.requiresGradient()) {
        p.freeze(true);
        frozenHere.add(p);
      }
    }
  }

  /** The model underneath. */
  public final Block base() {
    return base;
  }

  /** Where methods could act in the base, and what they would cost. */
  public final Blueprint blueprint() {
    return blueprint;
  }

  final List<Site> sites() {
    return blueprint.sites();
  }

  // ---- adapters
  // ------------------------------------------------------------------------------------------------------------

  /**
   * Adds an adapter and makes it the active one.
   *
   * @param seed seed of its first values and of its dropout
   */
  public PeftModel add(String name, Reparam reparam, Placement placement, long seed) {
    requireNotMerged("add an adapter");
    requireNew(name);
    Adapter adapter =
        new AdapterBuilder(blueprint, arena.manager()).build(name, reparam, placement, seed);
    Experts.copy(this, adapter);
    adapters.put(name, adapter);
    use(name);
    return this;
  }

  /** Names of all adapters. */
  public final List<String> adapters() {
    return List.copyOf(adapters.keySet());
  }

  /** Names of the adapters that act now. */
  public final List<String> activeAdapters() {
    return active.adapters().stream().map(a -> a.name).toList();
  }

  /** The method and configuration of an adapter. */
  public final Reparam method(String name) {
    return adapter(name).reparam;
  }

  /** Makes these adapters act, and train; several only where their effects add. */
  public PeftModel use(String... names) {
    requireNotMerged("change the active adapters");
    List<Adapter> chosen = Arrays.stream(names).map(this::adapter).toList();
    Active next = Active.of(chosen).on(active.tasks());
    active = next;
    enabled = true;
    for (Adapter a : adapters.values()) {
      boolean trains = chosen.contains(a);
      for (Tensor t : a.tensors().values()) {
        t.parameter().freeze(!(trains && t.trained()));
      }
    }
    return this;
  }

  /**
   * Says which task texts are for from now on, for methods that tell tasks apart (Poly, multitask
   * prompt tuning).
   *
   * @param numbers one for all texts, or one for each text of every batch; none to say nothing
   */
  public PeftModel task(int... numbers) {
    requireNotMerged("change the task");
    active = active.on(Arrays.stream(numbers).boxed().toList());
    return this;
  }

  /** What {@code work} gives while texts are for these tasks. */
  public final <T> T onTasks(List<Integer> tasks, Supplier<T> work) {
    List<Integer> before = active.tasks();
    active = active.on(tasks);
    try {
      return work.get();
    } finally {
      active = active.on(before);
    }
  }

  /** Turns all adapters off until {@link #enable}: the base alone answers. */
  public PeftModel disable() {
    enabled = false;
    return this;
  }

  /** Turns the active adapters on again. */
  public PeftModel enable() {
    enabled = true;
    return this;
  }

  /** Whether the active adapters act. */
  public final boolean isEnabled() {
    return enabled;
  }

  /** Removes an adapter; if it was active, the first of the remaining ones becomes so. */
  public PeftModel delete(String name) {
    requireNotMerged("delete an adapter");
    Adapter gone = adapter(name);
    adapters.remove(name);
    if (active.adapters().contains(gone)) {
      List<String> left = activeAdapters().stream().filter(n -> !n.equals(name)).toList();
      if (left.isEmpty() && !adapters.isEmpty()) {
        left = List.of(adapters.keySet().iterator().next());
      }
      use(left.toArray(String[]::new));
    }
    gone.tensors().values().forEach(t -> t.parameter().close());
    for (Attachment a : gone.attachments.values()) {
      a.ownBase().forEach(Parameter::close);
    }
    return this;
  }

  /**
   * Makes a new LoRA of several and makes it the active one.
   *
   * @param weights how much of each adapter, by name; negative weights take away
   */
  public PeftModel combine(String name, Map<String, Double> weights, Combination how) {
    requireNotMerged("combine adapters");
    requireNew(name);
    put(new Combiner(this, weights, how).build(name));
    return this;
  }

  /**
   * Makes a router of trained LoRAs, which mixes them anew for every token (Arrow, arXiv
   * 2405.11157), and makes it the active adapter. It is not trained, saved or merged.
   *
   * @param topK how many of them count for a token, such as 3
   * @param temperature above 0; 1 is usual, the higher, the more alike they count
   * @param experts names of LoRAs of the same linear modules
   */
  public PeftModel route(String name, int topK, double temperature, String... experts) {
    requireNotMerged("route adapters");
    requireNew(name);
    put(new Routing(this, List.of(experts)).build(name, topK, temperature));
    return this;
  }

  /**
   * Makes a plain LoRA of what the active adapters do to the weights, by SVD, and makes it the
   * active one: for runtimes that know LoRA alone.
   *
   * @param name of the new adapter
   * @param rank the most directions to keep per site
   * @return what was kept, site by site
   */
  public final Conversion.Report convertToLora(String name, int rank) {
    return convertToLora(name, rank, 1);
  }

  /**
   * Like {@link #convertToLora(String, int)}, with only as many directions per site as hold {@code
   * energy} of the squares of all.
   */
  public final Conversion.Report convertToLora(String name, int rank, double energy) {
    requireNotMerged("convert adapters");
    requireNew(name);
    Conversion.Made made = new Conversion(this, active, rank, energy).build(name);
    put(made.adapter());
    return made.report();
  }

  final Adapter adapter(String name) {
    Adapter a = adapters.get(name);
    if (a == null) {
      throw new IllegalArgumentException(
          "no adapter '" + name + "'\nthere are: " + adapters.keySet());
    }
    return a;
  }

  final NDManager manager() {
    return arena.manager();
  }

  private void requireNew(String name) {
    if (adapters.containsKey(name)) {
      throw new IllegalArgumentException(
          "adapter '" + name + "' exists\nfix: delete it first, or choose another name");
    }
    if (name.isBlank() || name.contains("/") || name.contains("\\")) {
      throw new IllegalArgumentException(
          "adapter name: expected some text without slashes, found '" + name + "'");
    }
  }

  private void put(Adapter adapter) {
    adapters.put(adapter.name, adapter);
    use(adapter.name);
  }

  // ---- running
  // -------------------------------------------------------------------------------------------------------------

  @Override
  protected NDList forwardInternal(
      ParameterStore store,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params) {
    try {
      long now = training ? step.getAndIncrement() : step.get();
      trained |= training;
      NDManager owner = inputs.head().getManager();
      AdapterPass pass = pass(store, training, now, owner);
      pass.lookAhead(
          () -> {
            AdapterPass first = pass(store, training, now, "ahead", owner);
            return base.forward(first, inputs, training, Network.hidden(params)).head();
          });
      return base.forward(pass, inputs, training, params);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /** What an active adapter has beside {@code whole}, as a model of its own. */
  protected final Pretrained detachedModel(Pretrained whole) {
    return new Detachment(this, whole).make();
  }

  /** A pass by what a hook has beside the model's layers, see {@link Learning#detached}. */
  final AdapterPass beside(ParameterStore store, boolean training, NDManager owner) {
    return pass(store, training, step.get(), "detached", owner).detach();
  }

  /** A training pass over the tokens that a hook puts in front of texts. */
  final AdapterPass reading(Adapter hook, ParameterStore store, NDManager owner) {
    return new AdapterPass(
        store, true, active, Seed.of(hook.seed).at("own").at(step.get()), owner, hook);
  }

  final AdapterPass pass(ParameterStore store, boolean training, long now, NDManager owner) {
    return pass(store, training, now, "step", owner);
  }

  /** A pass whose randomness is for {@code use} at the step {@code now}. */
  private AdapterPass pass(
      ParameterStore store, boolean training, long now, String use, NDManager owner) {
    Active snapshot = enabled ? active : Active.none();
    long seed = snapshot.adapters().isEmpty() ? 0 : snapshot.adapters().get(0).seed;
    return new AdapterPass(store, training, snapshot, Seed.of(seed).at(use).at(now), owner);
  }

  /** The number of the training pass that is next. */
  final long step() {
    return step.get();
  }

  /**
   * Sets the number that the next training pass draws its randomness from; it counts up by itself.
   */
  public final void atStep(long n) {
    step.set(n);
  }

  /** The trainable parameters of the active adapters by name, in a fixed order. */
  public final Map<String, Parameter> trainable() {
    Map<String, Parameter> out = new LinkedHashMap<>();
    for (Adapter a : active.adapters()) {
      a.tensors()
          .forEach(
              (n, t) -> {
                if (t.trained()) {
                  out.put(a.name + ":" + n, t.parameter());
                }
              });
    }
    return out;
  }

  /**
   * Everything of the active adapters that training changes: trainable parameters and the methods'
   * own state.
   */
  public final Map<String, Parameter> state() {
    Map<String, Parameter> out = new LinkedHashMap<>();
    for (Adapter a : active.adapters()) {
      a.tensors()
          .forEach(
              (n, t) -> {
                if (t.changes()) {
                  out.put(a.name + ":" + n, t.parameter());
                }
              });
    }
    return out;
  }

  /** Number of virtual tokens that the active adapters put in front of a text. */
  public final int virtualTokens() {
    return active.hooks().stream()
        .map(a -> java.util.Objects.requireNonNull(a.hook()))
        .mapToInt(h -> h.promptTokens() + h.prefixTokens())
        .sum();
  }

  /**
   * Whether the active adapters depend on earlier tokens beyond their keys and values, which a
   * graph with a cache does not keep.
   */
  public final boolean remembers() {
    return active.adapters().stream().anyMatch(a -> a.reparam.remembers());
  }

  /** What a training loop asks of the active adapters' methods. */
  public final Learning learning() {
    return new Learning(this);
  }

  /** What acts now, whether or not it is enabled. */
  final Active active() {
    return active;
  }

  // ---- merging
  // -------------------------------------------------------------------------------------------------------------

  /**
   * The base with the active adapters in its weights: a new block that shares the untouched
   * tensors; this model stays as it is.
   */
  protected final Merged mergedBlock() {
    Arena memory = new Arena();
    return new Merged(Overlay.of(base, weights(memory.manager())), memory);
  }

  /** A merged block and the memory of its merged weights, to be held by whoever uses the block. */
  protected record Merged(Block block, Arena memory) {}

  /**
   * Puts the active adapters into the weights that this model uses, at no cost per pass; the base
   * keeps its own.
   */
  public PeftModel mergeInPlace() {
    requireNotMerged("merge in place");
    active = active.with(weights(arena.manager()));
    return this;
  }

  /** Takes back {@link #mergeInPlace}, bit for bit. */
  public PeftModel unmerge() {
    if (!active.isMerged()) {
      throw new IllegalStateException("unmerge: the adapters are not merged");
    }
    Active merged = active;
    use(activeAdapters(merged));
    merged
        .frozen()
        .forEach(
            f -> {
              Frozen m = merged.merged(f);
              if (m != null) {
                m.parameters().forEach(Parameter::close);
              }
            });
    return this;
  }

  private String[] activeAdapters(Active merged) {
    active = merged.with(new IdentityHashMap<>());
    return activeAdapters().toArray(String[]::new);
  }

  /** Whether the active adapters are merged in place. */
  public final boolean isMerged() {
    return active.isMerged();
  }

  private IdentityHashMap<Frozen, Frozen> weights(NDManager owner) {
    return new Merger(active, sites()).weights(arena.manager(), owner);
  }

  /** Whether the active adapters are in weights alone, so that merging leaves nothing out. */
  public final boolean isMergeable() {
    return active.unmergeable().isEmpty();
  }

  final void requireNotMerged(String what) {
    if (active.isMerged()) {
      throw new IllegalStateException(
          "cannot " + what + ": the adapters are merged in place\nfix: unmerge() first");
    }
  }

  // ---- files
  // ---------------------------------------------------------------------------------------------------------------

  /**
   * Writes adapters as Hugging Face PEFT does: {@code default} into {@code dir}, others into a
   * folder of their name below it.
   *
   * @param base name or path of the base model for the file, or null
   * @param taskType Hugging Face's task type such as {@code SEQ_CLS}, or null
   * @param names which adapters; none means all
   */
  public final void save(
      Path dir, @Nullable String base, @Nullable String taskType, String... names) {
    requireNotMerged("save");
    List<String> chosen = names.length == 0 ? adapters() : List.of(names);
    if (chosen.contains(DEFAULT)) {
      Experts.requireFolders(adapter(DEFAULT), chosen);
    }
    try {
      for (String name : chosen) {
        Path target = name.equals(DEFAULT) ? dir : dir.resolve(name);
        AdapterFiles.save(this, adapter(name), target, new AdapterConfig.About(base, taskType));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(dir + ": cannot be written: " + e.getMessage(), e);
    }
  }

  /**
   * Writes the one active adapter as a GGUF file for llama.cpp, which {@link #load} reads too. It
   * must be a LoRA, such as {@link #convertToLora} makes of others.
   *
   * @param dtype of its factors
   * @throws IllegalArgumentException when it is no plain LoRA, or for a model that GGUF files are
   *     not written of
   */
  public final void saveGguf(Path file, Dtype dtype) {
    requireNotMerged("save");
    if (active.adapters().size() != 1) {
      throw new IllegalStateException(
          file
              + ": a GGUF file\nexpected: one active adapter\nfound: "
              + activeAdapters()
              + "\nfix: use(name) the one to write, or make one of several by combine(...)");
    }
    GgufAdapters.save(this, active.adapters().get(0), file, dtype);
  }

  /**
   * Adds the adapter in {@code path} and makes it the active one: a directory in Hugging Face
   * PEFT's format, or a LoRA in a GGUF file.
   */
  public PeftModel load(String name, Path path) {
    if (Gguf.named(path)) {
      GgufAdapters.load(this, name, path);
    } else {
      AdapterFiles.load(this, name, path, 0);
    }
    return this;
  }

  /** Whether a training pass has been run. */
  final boolean hasTrained() {
    return trained;
  }

  // ---- counting and printing
  // -----------------------------------------------------------------------------------------------

  /** Number of trainable elements of the active adapters. */
  public final long trainableParameters() {
    return active.adapters().stream().mapToLong(Adapter::trainable).sum();
  }

  /** Number of elements of the base and of all adapters' tensors, as Hugging Face counts them. */
  public final long allParameters() {
    long n = blueprint.baseParameters();
    for (Adapter a : adapters.values()) {
      n +=
          a.tensors().values().stream()
              .filter(Tensor::trained)
              .mapToLong(t -> t.entry().shape().size())
              .sum();
    }
    return n;
  }

  /** {@code trainable params: 448 || all params: 20,064 || trainable%: 2.2329}. */
  public final String trainableSummary() {
    long trainable = trainableParameters();
    long all = allParameters();
    return String.format(
        Locale.ROOT,
        "trainable params: %,d || all params: %,d || trainable%%: %.4f",
        trainable,
        all,
        100.0 * trainable / all);
  }

  @Override
  public String toString() {
    StringBuilder s = new StringBuilder();
    for (Adapter a : adapters.values()) {
      boolean acts = active.adapters().contains(a);
      String state =
          acts ? (active.isMerged() ? " (merged)" : enabled ? "" : " (off)") : " (inactive)";
      s.append(String.format("%s%n", Notes.line(a, state)));
    }
    return s.append(trainableSummary()).toString();
  }

  /**
   * What the active adapters change in the weights of linear modules, module by module, in the
   * order of the model. Modules that are trained whole beside the method, such as a new head, are
   * left out.
   *
   * @throws IllegalStateException when they change no weights, or none is active
   */
  public final List<Change> changes() {
    return Change.of(this, active);
  }

  /**
   * What the active adapters change in one module.
   *
   * @param module its path or the end of it; the first that fits
   * @throws IllegalArgumentException when they change no such module, with the names of those
   */
  public final Change change(String module) {
    return Change.at(module, changes());
  }

  /** The base's modules as a tree, with what each adapter does at which of them. */
  public final Description describe() {
    String name = base instanceof Pretrained p ? p + "\n" : "";
    return Description.of(base, name + this, Notes.of(adapters.values()));
  }

  // ---- DJL's block contract
  // ------------------------------------------------------------------------------------------------

  @Override
  public BlockList getChildren() {
    BlockList list = new BlockList();
    list.add("01base", base);
    return list;
  }

  @Override
  public ParameterList getDirectParameters() {
    ParameterList list = new ParameterList();
    adapters
        .values()
        .forEach(a -> a.tensors().forEach((n, t) -> list.add(a.name + ":" + n, t.parameter())));
    return list;
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType type, Shape... inputShapes) {
    for (Pair<String, Block> child : getChildren()) {
      child.getValue().initialize(manager, type, inputShapes);
    }
    base.getParameters().values().stream()
        .filter(Parameter::requiresGradient)
        .forEach(p -> p.freeze(true));
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return base.getOutputShapes(inputShapes);
  }

  /** The methods' views of the active adapter's sites, valid inside of {@code owner}. */
  final List<At> views(Adapter adapter, NDManager owner) {
    AdapterPass pass = pass(new ParameterStore(owner, false), false, 0, owner);
    return adapter.all(pass, pass.below());
  }

  /** A hook's view of its own tensors, valid inside of {@code owner}. */
  final Hook.View hookView(Adapter adapter, NDManager owner) {
    AdapterPass pass = pass(new ParameterStore(owner, false), false, 0, owner);
    return adapter.view(pass, pass.below());
  }

  /** Frees the adapters; the base stays, and what was trainable in it is so again. */
  @Override
  public void close() {
    frozenHere.stream().filter(Parameter::isInitialized).forEach(p -> p.freeze(false));
    frozenHere.clear();
    active = Active.none();
    hold.close();
  }
}
