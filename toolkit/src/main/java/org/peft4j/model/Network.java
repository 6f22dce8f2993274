package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.KvCache;
import org.peft4j.nn.Layer;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Pass;
import org.peft4j.tensor.Scope;

/** A body with or without a head, named as Hugging Face names the two together. */
public final class Network extends Layer {
  private final Body body;

  /** Key of a {@link KvCache} among the parameters of {@code forward}. */
  public static final String CACHE = "cache";

  /** Key of a Boolean: whether only the last row of every text is to be scored. */
  public static final String LAST_ONLY = "last_only";

  /** Key of a Boolean: whether only the encoder's output is wanted, of a model that has one. */
  public static final String SOURCE_ONLY = "source_only";

  private static final String HIDDEN = "hidden";

  private final @Nullable Head head;
  private final List<String> inputs;

  /**
   * The body is called {@code prefix} beside a head with modules of its own or a task, and nothing
   * otherwise.
   */
  Network(Body body, @Nullable Head head, Architecture architecture) {
    String prefix = architecture.prefix();
    inputs = inputs(architecture);
    this.body = addChildBlock(head == null || head.task() == Task.FEATURES ? "" : prefix, body);
    this.head = head == null ? null : addChildBlock("", head);
  }

  /**
   * The parameters of {@code forward} for the last hidden states {@code [batch, length, hidden]} of
   * all tokens alone, where others wish for {@code params}. A cache has a second one beside it.
   */
  public static PairList<String, Object> hidden(@Nullable PairList<String, Object> params) {
    PairList<String, Object> wishes = new PairList<>();
    wishes.add(HIDDEN, true);
    if (params != null && params.get(CACHE) instanceof KvCache cache) {
      wishes.add(CACHE, cache.beside());
    }
    return wishes;
  }

  Body body() {
    return body;
  }

  /** The sizes that hooks fit their tensors to; null where they have no place to act. */
  public @Nullable Anatomy anatomy() {
    return body.anatomy();
  }

  @Nullable Head head() {
    return head;
  }

  Task task() {
    return head == null ? Task.FEATURES : head.task();
  }

  List<String> outputNames() {
    return head != null ? head.outputNames() : List.of("last_hidden_state");
  }

  /**
   * The architecture's own inputs, the segments that every batch of texts has (not everybody reads
   * them), positions for those who want other ones, and an encoder's output for those who have it.
   */
  private static List<String> inputs(Architecture architecture) {
    List<String> all = new ArrayList<>(architecture.inputs());
    if (all.equals(List.of("input_ids", "attention_mask"))) {
      all.add("token_type_ids");
    }
    if (all.contains("input_ids")) {
      all.add("position_ids");
    }
    if (all.contains("decoder_input_ids")) {
      all.add(Inputs.ENCODED);
    }
    return List.copyOf(all);
  }

  @Override
  protected NDList compute(Pass pass, NDList list) {
    return run(pass, Inputs.of(inputs, list, null, false), null);
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore store,
      NDList list,
      boolean training,
      @Nullable PairList<String, Object> params) {
    Pass pass = Pass.of(store, training);
    KvCache cache = params == null ? null : (KvCache) params.get(CACHE);
    boolean last = params != null && Boolean.TRUE.equals(params.get(LAST_ONLY));
    Inputs in = Inputs.of(inputs, list, cache, last);
    if (params != null && Boolean.TRUE.equals(params.get(SOURCE_ONLY))) {
      return kept(list, () -> new NDList(body.source(pass, in)));
    }
    if (params != null && Boolean.TRUE.equals(params.get(HIDDEN))) {
      return kept(list, () -> new NDList(encode(pass, in)));
    }
    NDArray positions = Positions.in(params);
    return kept(list, () -> run(pass, in, positions));
  }

  /** What a computation gives, without what it made on the way. */
  private static NDList kept(NDList list, Supplier<NDList> computation) {
    if (!(list.head() instanceof PtNDArray)) {
      return computation.get(); // traced: the tracer owns what is made
    }
    try (Scope scope = Scope.open()) {
      NDList out = computation.get();
      for (NDArray a : out) {
        scope.keep(a).attach(list.head().getManager());
      }
      return out;
    }
  }

  private NDArray encode(Pass pass, Inputs in) {
    NDArray instead = pass.detached(() -> in.sequence(pass).context());
    return instead == null ? body.encode(pass, in) : instead;
  }

  private NDList run(Pass pass, Inputs in, @Nullable NDArray positions) {
    NDArray hidden = encode(pass, in);
    if (task().scoresTokens()) {
      hidden = scored(pass, in, hidden, positions);
    }
    if (head != null) {
      return head.outputs(pass, body, in, hidden);
    }
    NDArray pooled = body.pool(pass, hidden);
    return pooled == null ? new NDList(hidden) : new NDList(hidden, pooled);
  }

  /** The hidden states that a language model's head is asked about: those of the text's tokens. */
  private NDArray scored(Pass pass, Inputs in, NDArray hidden, @Nullable NDArray positions) {
    if (in.lastOnly()) {
      return hidden.get(":, -1:");
    }
    NDArray own = body.own(pass, in, hidden);
    return positions == null ? own : Positions.rows(own, positions);
  }

  @Override
  public Shape[] getOutputShapes(Shape[] in) {
    long batch = in[0].get(0);
    return new Shape[] {
      head != null
          ? new Shape(batch, -1)
          : inputs.contains("input_ids")
              ? in[0].add(body.hiddenSize())
              : new Shape(batch, -1, body.hiddenSize())
    };
  }
}
