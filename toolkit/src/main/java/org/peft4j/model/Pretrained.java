package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.lang.ref.Reference;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Gguf;
import org.peft4j.nn.Overlay;
import org.peft4j.quant.Storages;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Elements;
import org.peft4j.spi.Mirror;
import org.peft4j.spi.Paths;
import org.peft4j.spi.Slotted;
import org.peft4j.tensor.Arena;
import org.peft4j.tensor.Bfloat16;
import org.peft4j.text.Tokenizer;

/**
 * A model with what belongs to it: configuration, weights, tokenizer, labels. It is a DJL {@link
 * Block} that takes {@code input_ids}, {@code attention_mask} and {@code token_type_ids}, int64
 * {@code [batch, length]}, the last two optional; or, if it sees images, {@code pixel_values},
 * float32 {@code [batch, channels, height, width]}. Its weights are never changed.
 *
 * <p>A block of somebody else's becomes one by {@link #of}; it has no configuration or tokenizer
 * then.
 *
 * <p>Closing it (or losing the last reference) frees its weights, unless a model derived from it
 * still uses them.
 */
public final class Pretrained extends AbstractBlock implements AutoCloseable {
  private final Facts facts;
  private final Block network;
  private final List<Arena> memory;
  private final List<Arena.Hold> holds = new ArrayList<>();
  private final Mirror.@Nullable Maker mirrors;

  /**
   * What is known of a model beside its weights.
   *
   * @param newModules modules whose weights are not trained yet
   */
  record Facts(
      String name,
      @Nullable Config config,
      @Nullable Architecture architecture,
      Task task,
      @Nullable Pooling pooling,
      List<String> labels,
      List<String> newModules,
      List<String> outputNames,
      @Nullable Tokenizer tokenizer) {
    /** Known by another name. */
    Facts named(String name) {
      Config said = config == null ? null : config.with("_name_or_path", name);
      return new Facts(
          name, said, architecture, task, pooling, labels, newModules, outputNames, tokenizer);
    }

    /** Of a model without labels that computes something else with the same body. */
    Facts with(Config config, Task task, @Nullable Pooling pooling, List<String> outputs) {
      boolean same = task == this.task;
      return new Facts(
          name,
          config,
          architecture,
          task,
          pooling,
          same ? labels : List.of(),
          same ? newModules : List.of(),
          outputs,
          tokenizer);
    }
  }

  Pretrained(Facts facts, Block network, List<Arena> memory) {
    super((byte) 1);
    this.facts = facts;
    this.network = addChildBlock("", network);
    this.memory = List.copyOf(memory);
    memory.forEach(a -> holds.add(a.heldBy(this)));
    mirrors =
        facts.config == null || facts.architecture == null
            ? null
            : MirrorStack.maker(facts.config, facts.architecture, facts.task);
  }

  /** The same under the name that others know it by. */
  Pretrained published(String name) {
    return new Pretrained(facts.named(name), network, memory);
  }

  /** Wraps a block that is not ours. Its memory stays its owner's. */
  public static Pretrained of(Block block) {
    if (block instanceof Pretrained p) {
      return p;
    }
    Facts facts =
        new Facts(
            block.getClass().getSimpleName(),
            null,
            null,
            Task.FEATURES,
            null,
            List.of(),
            List.of(),
            List.of("output"),
            null);
    return new Pretrained(facts, block, List.of());
  }

  /** What the user called it: a name, a directory, a file. */
  public String name() {
    return facts.name();
  }

  /** Its {@code config.json}; null for a block that is not ours. */
  public @Nullable Config config() {
    return facts.config();
  }

  public Task task() {
    return facts.task();
  }

  /** Label names by index; empty unless it classifies. */
  public List<String> labels() {
    return facts.labels();
  }

  /** How a text becomes one vector before the head; null where nothing is pooled. */
  public @Nullable Pooling pooling() {
    return facts.pooling();
  }

  /** Modules whose weights are not trained yet, such as a new head. */
  public List<String> newModules() {
    return facts.newModules();
  }

  /** What {@code targets} left out means for this architecture. */
  public List<String> usualTargets() {
    return facts.architecture() == null ? List.of() : facts.architecture().usualTargets();
  }

  /** Names of its outputs, in order. */
  public List<String> outputNames() {
    return facts.outputNames();
  }

  /** Its tokenizer; an error if it has none. */
  public Tokenizer tokenizer() {
    if (facts.tokenizer() == null) {
      throw new IllegalStateException(
          "'" + name() + "' has no tokenizer\nfix: load it from a directory with a tokenizer.json");
    }
    return facts.tokenizer();
  }

  public boolean hasTokenizer() {
    return facts.tokenizer() != null;
  }

  Facts facts() {
    return facts;
  }

  /** Whose the weights are. */
  List<Arena> memory() {
    return memory;
  }

  /** Whether files of this architecture keep the matrix of this module as {@code [in, out]}. */
  public boolean isStoredTransposed(String module) {
    return facts.architecture() != null && facts.architecture().transposed(module + ".weight");
  }

  /** The blocks that compute. */
  public Block network() {
    return network;
  }

  /**
   * The sizes of its network, whatever was merged into it and however its weights are kept; null
   * for a block that is not ours or that has no places for hooks. Its embeddings are those before
   * merging.
   */
  public @Nullable Anatomy anatomy() {
    Block inner = Overlay.unwrap(network);
    if (inner instanceof Pretrained merged) {
      return merged.anatomy();
    }
    Anatomy sizes = inner instanceof Network ours ? ours.anatomy() : null;
    return sizes == null || mirrors == null ? sizes : sizes.mirroredBy(mirrors);
  }

  /**
   * The same model with a new head that tells {@code labels} apart, on pooled hidden states. The
   * head's weights are random (normal, deviation 0.02, seed 0) until it is trained: every adapter
   * of this model trains and saves it.
   */
  public Pretrained classify(List<String> labels) {
    return classify(labels, facts.pooling() != null ? facts.pooling() : Pooling.OWN, 0);
  }

  /** Like {@link #classify(List)}, with a chosen pooling and seed. */
  public Pretrained classify(List<String> labels, Pooling pooling, long seed) {
    return new Derivations(this).classify(labels, pooling, seed);
  }

  /**
   * The same model around another block with the same inputs and outputs, whose additional memory
   * is {@code more}.
   */
  public Pretrained with(Block block, Arena more) {
    return new Derivations(this).with(block, more);
  }

  /**
   * The same model with {@code tokens} token embeddings, for tokens that are added or left out.
   * Further ones are the mean of those that are there, in a head of its own too; a tied head
   * follows. This model stays as it is, and the two share everything else.
   *
   * @throws IllegalArgumentException if the tokenizer knows a token that would have no embedding
   */
  public Pretrained resizeEmbeddings(int tokens) {
    return new Derivations(this).resized(tokens);
  }

  /**
   * The same model with another dropout of its own, everywhere, in training; adapters have theirs.
   * Small adapters on little data often learn more without it. This model stays as it is, and the
   * two share their weights.
   *
   * @param p probability, in [0, 1)
   */
  public Pretrained withDropout(double p) {
    return new Derivations(this).withDropout(p);
  }

  /**
   * The same model with the weights of its linear maps, but for heads, kept in a storage such as
   * {@code nf4} and decoded for each use. This model stays as it is, and the two share everything
   * else. Adapters work on the result as on any model; merging makes its weights dense.
   *
   * @param storage one of {@link Storages}
   */
  public Pretrained quantized(String storage) {
    return new Derivations(this).quantized(Storages.byName(storage));
  }

  /**
   * Lays the bfloat16 weights of linear maps out for products that take less time, as copies in
   * half precision which sum in float32: two bytes more for each weight until this model is closed.
   * Texts are written faster; training and saving go by the weights themselves. Needs x86-64.
   *
   * @return this model
   * @throws IllegalStateException where no weight is kept as bfloat16, one is too large for half
   *     precision, or the processor is another
   */
  public Pretrained prepack() {
    Arena own = new Arena();
    holds.add(own.heldBy(this));
    int packed = 0;
    for (Block block : Paths.blocks(network).keySet()) {
      if (block instanceof Slotted slot && slot.frozen() instanceof Dense dense) {
        packed += dense.prepack(own.manager()) ? 1 : 0;
      }
    }
    if (packed == 0) {
      throw new IllegalStateException(
          "prepack\nexpected: weights that are kept as bfloat16\nfound: none in '"
              + name()
              + "'\nfix: Models.load(folder, Dtype.BF16)");
    }
    return this;
  }

  /** Whether any of its weights are kept in a storage such as {@code nf4}. */
  public boolean isQuantised() {
    return Paths.blocks(network).keySet().stream().anyMatch(Quantising::isQuantised);
  }

  /**
   * A mirror of this model as an ordinary model of its architecture, with the head, tokenizer and
   * labels of this one and memory of its own.
   *
   * @throws IllegalStateException where its states are less wide than this model's and the head is
   *     more than linear in them
   */
  public Pretrained mirrored(Mirror.Size size, Mirror.Values values) {
    return new MirrorModel(this, values).of(size);
  }

  /** The same model with every quantised weight decoded, once and for all. */
  public Pretrained dequantized() {
    return new Derivations(this).dequantized();
  }

  /**
   * The same model for texts of up to {@code tokens} tokens: its rotary positions are pressed
   * together by a whole factor (linear scaling, arXiv 2306.15595), which {@code config.json} says
   * when it is saved. It answers worse until it is trained so, for which {@code Peft.longLora(...)}
   * is made. A model that reaches as far already stays as it is. This model stays as it is, and the
   * two share their weights.
   *
   * @throws IllegalStateException where positions are not rotary, or scaled in another way
   */
  public Pretrained withContext(int tokens) {
    return new Derivations(this).withContext(tokens);
  }

  /** Number of positions that it is made for; 0 where nothing says it. */
  public int context() {
    return config() == null ? 0 : RotaryScaling.reach(config());
  }

  /**
   * Number of tokens beyond which the keys and values of earlier ones, where they were kept, do not
   * hold, so that a text is to be read again; 0 where they always do.
   */
  public int keysHoldUntil() {
    return config() == null ? 0 : RotaryScaling.keysHoldUntil(config());
  }

  /**
   * The same model as one that embeds texts by {@code pooling}; a head that it has is left out.
   *
   * @see #embed
   */
  public Pretrained pooled(Pooling pooling) {
    return new Derivations(this).pooled(pooling);
  }

  /**
   * One vector per text, {@code [texts][hidden]}, by the pooling that the model was trained with,
   * of the length that pooling gives it.
   *
   * @throws IllegalStateException if it pools nothing
   */
  public float[][] embed(List<String> texts) {
    return embed(texts, done -> {});
  }

  /**
   * Like {@link #embed(List)}; {@code done} is told the number of texts that are done, now and
   * then.
   */
  public float[][] embed(List<String> texts, IntConsumer done) {
    if (task() != Task.FEATURES || pooling() == null) {
      throw new IllegalStateException(
          "'"
              + name()
              + "' does not embed texts\n"
              + "fix: say how it pools, such as pooled(Pooling.CLS), or use an embedding model such"
              + " as Models.load(\"minilm\")");
    }
    return TextOutputs.of(this, tokenizer().encodeAll(texts), tokenizer().padId(), 64, done);
  }

  /** Number of elements of all parameters, shared ones once. */
  public long parameters() {
    return Elements.of(this);
  }

  /**
   * The token that the decoder of a model with an encoder begins with; padding where its
   * configuration names none.
   */
  public long decoderStart() {
    return facts.config() == null ? 0 : facts.config().decoderStart();
  }

  /** Names of its inputs, in order. */
  public List<String> inputNames() {
    return facts.architecture() == null ? List.of() : facts.architecture().inputs();
  }

  /**
   * Writes a Hugging Face directory: {@code config.json}, {@code model.safetensors}, and {@code
   * tokenizer.json} if there is a tokenizer; or a GGUF file in float32 where {@code path} ends in
   * {@code .gguf}.
   */
  public void save(Path path) {
    if (Gguf.named(path)) {
      GgufSaver.save(this, path, Dtype.F32);
    } else {
      Saver.save(this, path, null, Saver.SHARD_BYTES);
    }
  }

  /**
   * Writes a GGUF file where {@code path} ends in {@code .gguf}, else a Hugging Face directory.
   *
   * @param dtype what the weights are stored as; a directory takes f32, f16 and bf16
   */
  public void save(Path path, Dtype dtype) {
    save(path, dtype, Saver.SHARD_BYTES);
  }

  /**
   * Like {@link #save(Path, Dtype)}, with weights in a directory split into files of at most {@code
   * shardBytes} bytes.
   */
  public void save(Path path, Dtype dtype, long shardBytes) {
    if (Gguf.named(path)) {
      GgufSaver.save(this, path, dtype);
    } else {
      Saver.save(this, path, dtype, shardBytes);
    }
  }

  /**
   * Writes what belongs to it beside its weights, {@code config.json} and the tokenizer, into a
   * folder that exists.
   */
  public void saveFacts(Path folder) {
    Saver.saveFacts(this, folder);
  }

  /** Its modules as a tree, with shapes, types, parameters and memory. */
  public Description describe() {
    return Description.of(this, toString(), Map.of());
  }

  /**
   * Every tensor by its path in the tree of blocks. Of a model in bfloat16 these are decoded
   * copies, which the open {@link org.peft4j.tensor.Scope} owns.
   */
  public Map<String, NDArray> tensors() {
    Map<String, NDArray> out = stored();
    out.replaceAll((name, array) -> dense(array));
    return out;
  }

  /** Every tensor as it is kept. */
  Map<String, NDArray> stored() {
    if (isQuantised()) {
      throw new IllegalStateException(
          "'"
              + name()
              + "' is quantised; its weights cannot be written as they are"
              + "\nfix: dequantized(), or merge the adapter and save that");
    }
    Map<String, NDArray> out = new LinkedHashMap<>();
    Paths.parameters(this).forEach((n, p) -> out.put(n, p.getArray()));
    return out;
  }

  /** A tensor's numbers in a type that can be computed with. */
  static NDArray dense(NDArray stored) {
    return Bfloat16.is(stored) ? Bfloat16.decode(stored) : stored;
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore store,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params) {
    try {
      return network.forward(store, inputs, training, params);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return network.getOutputShapes(inputShapes);
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType type, Shape... inputShapes) {
    network.initialize(manager, type, inputShapes);
  }

  /** One line: name, architecture, task, size. */
  @Override
  public String toString() {
    String kind =
        facts.architecture() == null
            ? network.getClass().getSimpleName()
            : facts.architecture().modelType();
    String what =
        labels().isEmpty()
            ? task().name().toLowerCase(Locale.ROOT).replace('_', ' ')
            : labels().size() + " labels";
    return String.format(
        Locale.ROOT, "%s: %s, %s, %,d parameters", name(), kind, what, parameters());
  }

  @Override
  public void close() {
    holds.forEach(Arena.Hold::close);
  }
}
